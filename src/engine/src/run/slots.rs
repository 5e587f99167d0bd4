//! What the machine has for stages, and who holds it: places for processes, cores, GPUs.
//! Unaware of stages' states, of devices' names and of time.

use std::collections::BTreeMap;

/// What there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Cores to share among running stages.
    pub cores: usize,
    /// GPUs to share.
    pub gpus: usize,
    /// The most stages at once.
    pub jobs: usize,
}

/// What a stage asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResourceRequest {
    /// Cores.
    pub threads: usize,
    /// GPUs.
    pub gpus: usize,
    /// So many stages may hold one GPU; 1 for a GPU of its own.
    pub share: usize,
}

/// What a stage got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allocation {
    /// Cores.
    pub threads: usize,
    /// Indices of GPUs.
    pub gpus: Vec<usize>,
}

/// Who holds what.
#[derive(Debug)]
pub struct Slots {
    machine: Machine,
    held: BTreeMap<usize, (ResourceRequest, Allocation)>,
}

impl Slots {
    /// All free.
    pub fn new(machine: Machine) -> Self {
        Self {
            machine,
            held: BTreeMap::new(),
        }
    }

    /// Whether no further stage can start, whatever it asks for.
    pub fn is_full(&self) -> bool {
        self.held.len() >= self.machine.jobs
    }

    /// What `stage` asks for, or `None` while it is not free. Who asks for more cores than there are runs alone; who
    /// asks for more GPUs than there are gets all, and finds out.
    pub fn take(&mut self, stage: usize, request: ResourceRequest) -> Option<Allocation> {
        let used: usize = self.held.values().map(|(_, g)| g.threads).sum();
        let fits = self.held.is_empty() || used + request.threads <= self.machine.cores;
        if self.is_full() || !fits {
            return None;
        }
        let gpus = self.free_gpus(request)?;
        let threads = request.threads;
        let allocation = Allocation { threads, gpus };
        self.held.insert(stage, (request, allocation.clone()));
        Some(allocation)
    }

    /// `stage` has ended.
    pub fn give_back(&mut self, stage: usize) {
        self.held.remove(&stage);
    }

    /// Enough GPUs for the request, those first that are shared already: others stay free for who wants one alone.
    fn free_gpus(&self, request: ResourceRequest) -> Option<Vec<usize>> {
        let wanted = request.gpus.min(self.machine.gpus);
        let mut free: Vec<(usize, usize)> = (0..self.machine.gpus)
            .filter_map(|gpu| Some((self.sharers(gpu, request.share)?, gpu)))
            .collect();
        free.sort_by_key(|&(sharers, gpu)| (usize::MAX - sharers, gpu));
        let chosen: Vec<usize> = free.iter().take(wanted).map(|&(_, gpu)| gpu).collect();
        (chosen.len() == wanted).then_some(chosen)
    }

    /// How many stages hold the GPU, if one more that shares it among `share` may join them.
    fn sharers(&self, gpu: usize, share: usize) -> Option<usize> {
        let holders = self.held.values().filter(|(_, g)| g.gpus.contains(&gpu));
        let shares: Vec<usize> = holders.map(|(request, _)| request.share).collect();
        let least = shares.iter().copied().chain([share]).min().unwrap_or(1);
        (shares.len() < least).then_some(shares.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots(cores: usize, gpus: usize, jobs: usize) -> Slots {
        Slots::new(Machine { cores, gpus, jobs })
    }

    fn on_gpu(gpus: usize, share: usize) -> ResourceRequest {
        ResourceRequest {
            threads: 1,
            gpus,
            share,
        }
    }

    #[test]
    fn each_stage_gets_a_gpu_of_its_own() {
        let mut slots = slots(8, 2, 8);
        assert_eq!(slots.take(1, on_gpu(1, 1)).unwrap().gpus, [0]);
        assert_eq!(slots.take(2, on_gpu(1, 1)).unwrap().gpus, [1]);
        assert_eq!(slots.take(3, on_gpu(1, 1)), None);
        slots.give_back(1);
        assert_eq!(slots.take(3, on_gpu(1, 1)).unwrap().gpus, [0]);
    }

    #[test]
    fn small_ones_share_and_leave_the_other_free() {
        let mut slots = slots(8, 2, 8);
        assert_eq!(slots.take(1, on_gpu(1, 2)).unwrap().gpus, [0]);
        assert_eq!(slots.take(2, on_gpu(1, 2)).unwrap().gpus, [0]);
        assert_eq!(slots.take(3, on_gpu(1, 1)).unwrap().gpus, [1]);
        assert_eq!(
            slots.take(4, on_gpu(1, 2)),
            None,
            "one shares, the other is taken alone"
        );
    }

    #[test]
    fn who_wants_a_gpu_alone_does_not_join_sharers_nor_is_joined() {
        let mut slots = slots(8, 1, 8);
        slots.take(1, on_gpu(1, 4)).unwrap();
        assert_eq!(slots.take(2, on_gpu(1, 1)), None);
        slots.give_back(1);
        slots.take(2, on_gpu(1, 1)).unwrap();
        assert_eq!(slots.take(1, on_gpu(1, 4)), None);
    }

    #[test]
    fn several_gpus_and_more_than_there_are() {
        let mut slots = slots(8, 3, 8);
        assert_eq!(slots.take(1, on_gpu(2, 1)).unwrap().gpus, [0, 1]);
        assert_eq!(slots.take(2, on_gpu(2, 1)), None);
        slots.give_back(1);
        assert_eq!(slots.take(2, on_gpu(5, 1)).unwrap().gpus, [0, 1, 2]);
    }

    #[test]
    fn cores_and_places_bound_what_runs() {
        let mut slots = slots(2, 0, 3);
        let cores = |threads| ResourceRequest {
            threads,
            gpus: 0,
            share: 1,
        };
        slots.take(1, cores(4)).unwrap();
        assert_eq!(
            slots.take(2, cores(1)),
            None,
            "the first takes more than there is"
        );
        slots.give_back(1);
        slots.take(2, cores(1)).unwrap();
        slots.take(3, cores(0)).unwrap();
        slots.take(4, cores(1)).unwrap();
        assert!(slots.is_full());
        assert_eq!(slots.take(5, cores(0)), None);
    }
}
