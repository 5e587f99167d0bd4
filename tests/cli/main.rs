//! The program as people meet it: files, command lines, messages, exit codes, and what lies in the cache afterwards.
//! Unaware of the library. Tests that need libtorch say `skipped` where there is no pipeline-worker.

#[cfg(test)]
mod bad_command;
#[cfg(test)]
mod bad_file;
#[cfg(test)]
mod support;
