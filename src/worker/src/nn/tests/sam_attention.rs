//! The image encoder's attention on a CPU beside the same by libtorch's kernel.
//! Unaware of blocks and windows.

use rayon::ThreadPoolBuilder;
use tch::nn::VarStore;
use tch::{Device, Kind, Tensor, no_grad};

use crate::nn::sam::encoder::Attention;
use crate::nn::sam::fused;

/// An attention with random weights and relative positions, as if for images of H×W tokens.
fn random(heads: i64, width: i64, (h, w): (i64, i64), strength: f64) -> Attention {
    tch::manual_seed(7);
    let (store, dim) = (VarStore::new(Device::Cpu), heads * width);
    let attention = Attention::new(&store.root(), dim, heads, 2 * h.max(w) - 1);
    for (_, mut tensor) in store.variables() {
        let scale = strength / (tensor.size().last().copied().unwrap_or(1) as f64).sqrt();
        no_grad(|| tensor.copy_(&(tensor.randn_like() * scale)));
    }
    attention
}

/// Heads, channels of each, grid, images, and how large the weights are.
type Case = (i64, i64, (i64, i64), i64, f64);

fn tokens(&(heads, width, (h, w), images, _): &Case) -> Tensor {
    Tensor::randn([images, h, w, heads * width], (Kind::Float, Device::Cpu))
}

#[test]
fn on_a_cpu_it_is_what_libtorch_computes() {
    let cases: [Case; 6] = [
        (2, 16, (5, 5), 1, 1.0),
        (3, 20, (3, 7), 2, 1.0),
        (2, 80, (14, 14), 3, 1.0), // a window of ViT-H
        (1, 8, (64, 64), 1, 1.0),  // several tiles
        (2, 16, (9, 4), 1, 12.0),  // scores of thousands: one key has all the weight
        (1, 4, (1, 1), 1, 1.0),
    ];
    for case in cases {
        let (heads, width, grid, _, strength) = case;
        let attention = random(heads, width, grid, strength);
        let x = tokens(&case);
        let (ours, theirs) = no_grad(|| {
            let theirs = attention.by_heads(&attention.queries_keys_values(&x), grid);
            (attention.attend(&x), theirs.view_as(&x))
        });
        let apart = (&ours - &theirs).abs().max().double_value(&[]);
        let largest = theirs.abs().max().double_value(&[]);
        assert!(largest > 0.1, "{case:?}: nothing to compare");
        assert!(apart < 2e-5 * largest.max(1.0), "{case:?}: {apart:e} apart");
    }
}

#[test]
fn the_number_of_threads_moves_no_bit() {
    let random = |size: &[i64]| Tensor::randn(size, (Kind::Float, Device::Cpu));
    let (qkv, rows, columns) = (
        random(&[3, 1, 2, 1600, 16]),
        random(&[1, 2, 1600, 40]),
        random(&[1, 2, 1600, 40]),
    );
    let with = |threads| {
        let pool = ThreadPoolBuilder::new().num_threads(threads);
        let (qkv, rows, columns) = (qkv.copy(), rows.copy(), columns.copy());
        let attend = move || fused::attend(&qkv, &rows, &columns).view([-1]);
        Vec::<f32>::try_from(pool.build().unwrap().install(attend)).unwrap()
    };
    let one = with(1);
    assert!(one.iter().all(|x| x.is_finite()));
    assert!(one == with(2) && one == with(7));
}

#[test]
fn a_number_that_is_none_shows_and_stays_with_its_query() {
    let case = (1, 8, (6, 6), 1, 1.0);
    let (attention, x) = (random(1, 8, (6, 6), 1.0), tokens(&case));
    let qkv = no_grad(|| attention.queries_keys_values(&x).contiguous());
    let attended = |at: [i64; 2]| {
        let qkv = qkv.copy();
        let _ = qkv.get(at[0]).get(0).get(0).get(at[1]).fill_(f64::NAN);
        let out = no_grad(|| attention.attend_fused(&qkv, (6, 6))).get(0);
        Vec::<bool>::try_from(out.isnan().any_dim(-1, false)).unwrap()
    };
    let of_query = attended([0, 11]);
    assert!((0..36).all(|n| of_query[n] == (n == 11)), "{of_query:?}");
    assert!(attended([1, 11]).iter().all(|is| *is), "a key that is none");
    assert!(
        attended([2, 11]).iter().all(|is| *is),
        "a value that is none"
    );
}
