//! Parity: every case of a folder of golden numbers against this project's code, one printed line a case.
//! Unaware of these very files: cases of other seeds, sizes, depths and scales run through the same arms.
//!
//! The folder is `PIPELINE_PARITY_DIR`, else `tests/golden` and those beside it; the device is `PIPELINE_PARITY_DEVICE` (`cpu`, `cuda`).
//! Cases run a second time with the other kernels for linear layers, unless `PIPELINE_KERNELS` says which.
//! A quantity beyond its tolerance (`name=error/tolerance`) fails the test, one written with `~` only informs; cases of models that do not exist here are listed as not run. With
//! the default folder the cases are also run with something changed on purpose, which each tolerance must notice.

#![expect(
    clippy::print_stdout,
    reason = "the printed lines are what this test is for"
)]

mod case;
mod metrics;
mod networks;
mod sam;
mod sam_generator;
mod trace;
mod transformers;

use std::process::ExitCode;

use case::{Case, Change, Outcome, Quantity};
use pipeline_worker::nn::kernels;

fn main() -> ExitCode {
    if std::env::args().any(|arg| arg == "--list") {
        return ExitCode::SUCCESS;
    }
    if let Some(code) = with_wanted_kernels() {
        return code;
    }
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("parity FAILED: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Kernels that the golden numbers were made with. AVX-512 kernels sum in another order: the gradients of the training
/// trace then differ by twice its tolerance, from the official code's as from ours.
const KERNELS: [(&str, &str); 2] = [
    ("ATEN_CPU_CAPABILITY", "avx2"),
    ("DNNL_MAX_CPU_ISA", "AVX2"),
];

/// libtorch reads these variables when it is loaded, so this program starts itself again with those that are not set.
/// `None` in the second process, and where all are set.
fn with_wanted_kernels() -> Option<ExitCode> {
    let missing: Vec<_> = KERNELS
        .into_iter()
        .filter(|(name, _)| std::env::var_os(name).is_none())
        .collect();
    if missing.is_empty() {
        return None;
    }
    let own = std::env::current_exe().ok()?;
    let passes = |kernels: Option<&str>| {
        let mut again = std::process::Command::new(&own);
        again
            .args(std::env::args_os().skip(1))
            .envs(missing.clone())
            .envs(kernels.map(|choice| (kernels::VARIABLE, choice)));
        if kernels.is_some() {
            again.arg(WITHOUT_CHANGES);
        }
        again.status().is_ok_and(|status| status.success())
    };
    let is_asked_for = std::env::var_os(kernels::VARIABLE).is_some();
    let good = passes(None) && (is_asked_for || passes(Some(OTHERS)));
    Some(if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The kernels of processors with AVX-512 by AMD, where linear layers go another way than with those above.
const OTHERS: &str = "convolution,tiles,channels-last";

/// What each tolerance has noticed once need not be looked at again.
const WITHOUT_CHANGES: &str = "--without-changes";

/// Runs everything; whether nothing failed.
fn run() -> Result<bool, String> {
    let (folder, chosen) = case::folder();
    println!("parity reads {}", folder.display());
    println!("kernels {}", kernels::choose()?);
    tch::set_num_threads(2);
    let mut cases = case::read(&folder)?;
    if !chosen {
        for folder in case::further() {
            cases.extend(case::read(&folder)?);
        }
    }
    let parity = run_cases(&cases);
    let is_again = std::env::args().any(|arg| arg == WITHOUT_CHANGES);
    let sensitivity = chosen || is_again || run_changes(&cases);
    Ok(parity && sensitivity)
}

/// The result of a case, whatever becomes of it: libtorch panics on a wrong shape.
fn measure(case: &Case, change: Change) -> Outcome {
    let run = || match case.model.as_str() {
        "imdn" => networks::imdn(case, change),
        "dncnn" => networks::dncnn(case, change),
        "art" | "cat" => transformers::forward(&case.model, case, change),
        "art_official_test" => transformers::official_test("art", case, change),
        "cat_official_test" => transformers::official_test("cat", case, change),
        "spt_forward" => networks::spt_forward(case, change),
        "spt_training_trace" => trace::training(case, change),
        "metrics" => metrics::all(case, change),
        "sam_image_encoder" => sam::image_encoder(case, change),
        "sam_rel_pos" => sam::rel_pos(case, change),
        "sam_prompt_encoder" => sam::prompt_encoder(case, change),
        "sam_mask_decoder" => sam::mask_decoder(case, change),
        "sam_resize" => sam::resize(case, change),
        "sam_mask_generator" => sam_generator::generator(case, change),
        other => Ok(Outcome::NotRun(format!("no model `{other}` here"))),
    };
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)) {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(error)) => Outcome::Failed(error),
        Err(_) => Outcome::Failed("panicked".to_owned()),
    }
}

fn run_cases(cases: &[Case]) -> bool {
    let (mut passed, mut failed, mut skipped) = (0, Vec::new(), Vec::new());
    for case in cases {
        match measure(case, Change::None) {
            Outcome::Ran(quantities) => {
                let good = case.holds(&quantities);
                println!(
                    "{case} {} {}",
                    texts(&quantities),
                    if good { "ok" } else { "FAILED" }
                );
                case.unmeasured(&quantities)
                    .iter()
                    .for_each(|name| println!("  `{name}` was not measured"));
                if good {
                    passed += 1;
                } else {
                    failed.push(case.id.as_str());
                }
            }
            Outcome::Failed(error) => {
                println!("{case} FAILED: {error}");
                failed.push(case.id.as_str());
            }
            Outcome::NotRun(why) => {
                println!("{case} not run: {why}");
                skipped.push(case.id.as_str());
            }
        }
    }
    println!(
        "parity: {passed} passed, {} failed, {} not run",
        failed.len(),
        skipped.len()
    );
    println!(
        "  failed: {}\n  not run: {}",
        failed.join(" "),
        skipped.join(" ")
    );
    failed.is_empty()
}

fn texts(quantities: &[Quantity]) -> String {
    quantities
        .iter()
        .map(Quantity::to_string)
        .collect::<Vec<_>>()
        .join(" ")
}

/// Each change on the first case of its model: some quantity must leave its tolerance.
fn run_changes(cases: &[Case]) -> bool {
    let mut missed = 0;
    for &(model, change) in Change::ALL {
        let Some(case) = cases.iter().find(|case| case.model == model) else {
            continue;
        };
        let noticed = match measure(case, change) {
            Outcome::Ran(quantities) => {
                println!(
                    "sensitivity {} {model} {change:?}: {}",
                    case.id,
                    texts(&quantities)
                );
                quantities.iter().any(|quantity| !quantity.holds())
            }
            Outcome::Failed(error) | Outcome::NotRun(error) => {
                println!("sensitivity {} {model} {change:?}: {error}", case.id);
                false
            }
        };
        println!(
            "  {}",
            if noticed {
                "noticed, ok"
            } else {
                "FAILED: not noticed"
            }
        );
        missed += usize::from(!noticed);
    }
    println!(
        "sensitivity: {} changes, {missed} not noticed",
        Change::ALL.len()
    );
    missed == 0
}
