//! The cache: digests of files, records of finished stages and their outputs, locks, atomic commits.
//! Unaware of stage kinds, of how a key comes about, of the order of stages, and of torch.
//!
//! ```text
//!                        manifest ── BLAKE3 ──> Key
//!                                                |
//!   file ── stat ──> memo ──> Digest             v
//!             |      ^        ^          presence(key) ──> Absent | Fresh(Record) | Missing | Damaged
//!             v      |        |                  |                                     |
//!           bytes ── BLAKE3 ──+           ticket(key) ──> Busy | Done(Record)          | quarantine
//!                                                |                                     v
//!                                              Ready: lock, out/, state/           damaged/
//!                                                |  a worker fills out/
//!                                                v
//!                                 commit: list, flush, hash, rename out, rename record
//!
//!   <root>/format                     which layout this is
//!         /outputs/<aa>/<key>/...     files of committed keys        (renamed here whole, before the record)
//!         /records/<aa>/<key>.json    what they are, with a checksum (renamed here last: this is the commit)
//!         /partial/<key>/out          outputs in the making          (emptied when a ticket is made)
//!         /partial/<key>/state        checkpoints                    (survive a crash, removed at commit)
//!         /partial/<key>/inputs.json  which files they are made from (others now: they go)
//!         /partial/<run>.<number>     temporary files of commands    (of this run, one after the other; gone with it)
//!         /partial/<key>/inputs       copies of inputs for one try   (emptied when a ticket is made)
//!         /locks/<aa>/<key>           kernel locks, never deleted
//!         /locks/runs/<run>           what a running program has claimed, while anything that it started lives
//!         /logs/<aa>/<key>.log        what the worker of a key said
//!         /damaged/<key>-<n>/         entries that were moved aside
//!         /decoded/<aa>/<content>     what results of this content hold, decoded (can be lost; read under a lock)
//!         /last/<pipeline>.log        the last key of each stage of a pipeline file
//!         /memo                       digests of files by their stat
//! ```
//!
//! Files need each other one way:
//!
//! ```text
//!   digest, record, seal, index, memo, claims, layout, …    types, and files of theirs; none knows a cache as a whole
//!        └──> store            the handle: where its parts lie, what this process knows of them
//!               └──> digests, presence, sealing, held, ticket, commit, …    what can be done with it, `impl Store` each
//!                      └──> open                                            which clears away what killed programs left
//! ```
//!
//! Promises: a killed process leaves old or new entries and nothing between, and no lock; a flipped bit is noticed, in a
//! record always, in outputs by `verify`, in the memo always; nothing here deletes an output that has a record.

mod archive;
mod atomic;
mod by_content;
mod by_path;
mod claims;
mod clock;
mod commit;
mod copy;
mod decoded;
#[cfg(test)]
#[path = "../../../tests/dice.rs"]
mod dice;
mod digest;
mod digests;
mod early;
mod entries;
mod error;
mod facts;
mod flush;
mod folder_pool;
mod foreign;
#[cfg(test)]
mod fuzz;
mod gc;
mod group_commit;
mod hash;
mod held;
mod index;
mod inventory;
mod last;
mod layout;
mod lease;
mod links;
mod listed;
mod lock;
mod made;
mod memo;
mod mutex;
mod open;
mod output;
mod outputs;
mod pin;
mod prefetch;
mod presence;
mod quarantine;
mod record;
mod scratch;
mod seal;
mod sealing;
mod space;
mod stat;
mod status;
mod store;
pub mod summed;
mod ticket;
mod trash;
mod tree;
mod verify;
mod warm_start;
mod watch;

pub use archive::{ExportReport, ImportReport};
pub use atomic::write_atomic;
pub use claims::Holder;
pub use copy::link_in_place_of_folder;
pub use decoded::{Decoded, DecodedRoom, Making};
pub use digest::{Digest, Key, NotADigest, WeightsDigest};
pub use entries::{Entry, EntryState, Usage};
pub use error::{Result, StoreError};
pub use facts::Facts;
pub use foreign::foreign;
pub use gc::{GcReport, GcRequest};
pub use group_commit::GroupCommit;
pub use hash::Bytes;
pub use inventory::{Room, Thing};
pub use lease::Lease;
pub use links::link_out_of;
pub use listed::content_of_files;
pub use made::Made;
pub use output::{Output, OutputKind};
pub use prefetch::Prefetch;
pub use record::Record;
pub use scratch::Scratch;
pub use seal::Seal;
pub use status::{Amount, DAMAGED_RECORD, Status};
pub use store::Store;
pub use ticket::{Checkpoints, Claim, Handover, Ticket};
pub use verify::{Broken, Progress, VerifyReport};
pub use warm_start::{Consumed, FiledState};
pub use watch::Watch;
