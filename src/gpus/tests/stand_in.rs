//! Answers of the driver's library, by a stand-in that is built from tests/nvml.c.

#[cfg(test)]
#[path = "../../../tests/nvml.rs"]
mod nvml;

use std::process::Command;

use gpus::{Driver, Gpu, Memory};

const GPUS: &str = "\
GPU-a 87 12595 81920 17 300 4 1024
GPU-b -1 0 24576 17 20 18 -1
MIG-c 5 -1 -1
";

const MIB: u64 = 1 << 20;

/// One process has one environment, so that all is asked in one test.
#[test]
fn gpus_and_what_processes_take_on_them() {
    assert!(Driver::from_library("/nowhere/libnvidia-ml.so.1".as_ref()).is_none());
    let folder = tempfile::tempdir().unwrap();
    let [library, said] = ["nvml.so", "gpus"].map(|name| folder.path().join(name));
    if !nvml::build(&library, "gpus_and_what_processes_take_on_them") {
        return;
    }
    // The child reads what the stand-in is to say.
    let own = std::env::current_exe().unwrap();
    if std::env::var_os("NVML_STAND_IN").is_none() {
        std::fs::write(&said, GPUS).unwrap();
        let again = Command::new(own)
            .env("NVML_STAND_IN", &said)
            .env("NVML_STAND_IN_CAPABILITY", "7 5")
            .status();
        assert!(again.unwrap().success());
        // A driver that does not answer.
        assert!(Driver::from_library(library.as_os_str()).is_none());
        return;
    }
    let driver = Driver::from_library(library.as_os_str()).unwrap();
    let memory = |used: u64, total: u64| {
        Some(Memory {
            used: used * MIB,
            total: total * MIB,
        })
    };
    let gpu = |index, busy, memory| {
        Some(Gpu {
            index: Some(index),
            busy,
            memory,
        })
    };
    assert_eq!(driver.gpu("0"), gpu(0, Some(87), memory(12595, 81920)));
    assert_eq!(driver.gpu("GPU-b"), gpu(1, None, memory(0, 24576)));
    assert_eq!(driver.gpu("MIG-c"), gpu(2, Some(5), None));
    assert_eq!(driver.gpu("3"), None);
    assert_eq!(driver.capability("GPU-b"), Some((7, 5)));
    assert_eq!(driver.capability("3"), None);
    assert_eq!(driver.gpu("GPU-z"), None);
    let taken = [17, 4, 18, 19].map(|pid| driver.memory_of(pid));
    assert_eq!(taken, [Some(320 * MIB), Some(1024 * MIB), None, None]);
}
