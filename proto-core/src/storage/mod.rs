//! Memory lent by the caller: tables over slices, none of which grows, and
//! every one of which says when it is full.

pub(crate) mod fixed;
pub mod index;
pub mod list;
pub mod pool;
pub mod slab;

pub use fixed::{Blocks, Work};
pub use index::{Bucket, Index};
pub use list::{Linked, List, Node};
pub use pool::{Block, Body, Pool, PoolHead};
pub use slab::{Id, Slab, SlabHead, Slot};
