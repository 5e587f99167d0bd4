//! The program as people meet it: files, command lines, messages, exit codes, and what lies in the cache afterwards.
//! Unaware of the library. Tests that need libtorch say `skipped` where there is no pipeline-worker.

#[cfg(test)]
mod again;
#[cfg(test)]
mod bad_checkpoint;
#[cfg(test)]
mod bad_command;
#[cfg(test)]
mod bad_disk;
#[cfg(test)]
mod bad_file;
#[cfg(test)]
mod bad_images;
#[cfg(test)]
mod behind;
#[cfg(test)]
mod bounds;
#[cfg(test)]
mod browser;
#[cfg(test)]
mod by_content;
#[cfg(test)]
mod cache;
#[cfg(test)]
mod check;
#[cfg(test)]
mod checkpoints;
#[cfg(test)]
mod damaged;
#[cfg(test)]
mod data;
#[cfg(test)]
mod decoded;
#[cfg(test)]
mod denoising;
#[cfg(test)]
mod device;
#[cfg(test)]
#[path = "../dice.rs"]
mod dice;
#[cfg(test)]
mod digests;
#[cfg(test)]
mod drift;
#[cfg(test)]
mod edges;
#[cfg(test)]
mod export;
#[cfg(test)]
mod file_first;
#[cfg(test)]
#[path = "../fuzz.rs"]
mod fuzzer;
#[cfg(test)]
mod history;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod images;
#[cfg(test)]
mod inspect;
#[cfg(test)]
mod killed;
#[cfg(test)]
mod kinds;
#[cfg(test)]
mod leaks;
#[cfg(test)]
mod links;
#[cfg(test)]
mod manifests;
#[cfg(test)]
mod manual;
#[cfg(test)]
mod masks;
#[cfg(test)]
mod numbers;
#[cfg(test)]
#[path = "../nvml.rs"]
mod nvml;
#[cfg(test)]
mod odd_cache;
#[cfg(test)]
mod order;
#[cfg(test)]
mod other_task;
#[cfg(test)]
mod page;
#[cfg(test)]
mod patterns;
#[cfg(test)]
mod perfect;
#[cfg(test)]
mod placed;
#[cfg(test)]
mod planned;
#[cfg(test)]
mod printed;
#[cfg(test)]
mod processes;
#[cfg(test)]
mod pth;
#[cfg(test)]
mod real;
#[cfg(test)]
mod real_files;
#[cfg(test)]
mod renamed;
#[cfg(test)]
mod reports;
#[cfg(test)]
mod resources;
#[cfg(test)]
mod restore;
#[cfg(test)]
mod robustness;
#[cfg(test)]
mod root;
#[cfg(test)]
#[path = "../rounds.rs"]
mod rounds;
#[cfg(test)]
mod said;
#[cfg(test)]
mod sam;
#[cfg(test)]
mod scores;
#[cfg(test)]
mod screen;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod shape;
#[cfg(test)]
mod shorter;
#[cfg(test)]
mod shown;
#[cfg(test)]
mod soak;
#[cfg(test)]
mod stopped;
#[cfg(test)]
mod support;
#[cfg(test)]
mod swapped;
#[cfg(test)]
mod tables;
#[cfg(test)]
mod tuning;
#[cfg(test)]
mod values;
#[cfg(test)]
mod walls;
#[cfg(test)]
mod whole;
#[cfg(test)]
mod wrong_place;
#[cfg(test)]
#[path = "../zip.rs"]
mod zip;
