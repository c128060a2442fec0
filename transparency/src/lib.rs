//! Receipts, and the public log of ballots: what is signed, what is hashed, and how it is checked.
//!
//! The model is Certificate Transparency. With "accepted" a voter gets a [`receipt`]: a signed promise that the ballot
//! will be in the poll's log. The log is an append-only Merkle tree (RFC 6962) whose leaves are [`entry`] lines, published
//! in the formats of C2SP that existing tools read: `tlog-tiles`, `tlog-checkpoint` and `signed-note`. Whoever has the
//! [`checkpoint`]s, the tiles and the entries can [`recount`] the poll, and sees it if an entry was changed or left out.
//!
//! Absent on purpose: I/O. Consumers append ([`tree`]), the dashboard serves, producers sign receipts, and
//! `votectl verify` checks ([`audit`]); consumers ask each [`witness`]. Hashes of the tree and signatures are those of `tlog_tiles`, `signed_note` and
//! `ed25519-dalek`.

pub mod audit;
pub mod checkpoint;
pub mod entry;
pub mod keys;
pub mod proofs;
pub mod receipt;
pub mod recount;
pub mod timeline;
pub mod tree;
pub mod witness;

pub use tlog_tiles::tlog::Hash;
