//! The program where a C library starts it.

use core::{
    ffi::{c_int, c_void},
    panic::PanicInfo,
};

use crate::conversation::{Memory, NoRandomness, converse};

static mut MEMORY: Memory = Memory::new();

/// What the C library calls; it exits with 0 when all was said and read.
#[unsafe(no_mangle)]
extern "C" fn main() -> c_int {
    let memory = &raw mut MEMORY;
    // SAFETY: this runs once, on the program's one thread, and nothing else names it.
    c_int::from(converse(unsafe { &mut *memory }, fill).is_none())
}

/// From the system's generator.
fn fill(bytes: &mut [u8]) -> Result<(), NoRandomness> {
    // SAFETY: it writes so many bytes from there on.
    let failed = unsafe { getentropy(bytes.as_mut_ptr().cast(), bytes.len()) };
    if failed == 0 { Ok(()) } else { Err(NoRandomness) }
}

// SAFETY: these are C's and POSIX's; `abort` has no precondition.
#[link(name = "c")]
unsafe extern "C" {
    safe fn abort() -> !;
    fn getentropy(buffer: *mut c_void, length: usize) -> c_int;
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    abort()
}

/// `core` comes compiled for unwinding; with `panic = "abort"` nobody calls this.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}
