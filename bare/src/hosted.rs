//! The program where a C library starts it.

use core::{ffi::c_int, panic::PanicInfo};

use crate::conversation::{Memory, converse};

static mut MEMORY: Memory = Memory::new();

/// What the C library calls; it exits with 0 when all was said and read.
#[unsafe(no_mangle)]
extern "C" fn main() -> c_int {
    let memory = &raw mut MEMORY;
    // SAFETY: this runs once, on the program's one thread, and nothing else names it.
    c_int::from(converse(unsafe { &mut *memory }).is_none())
}

// SAFETY: `abort` is C's, and has no precondition.
#[link(name = "c")]
unsafe extern "C" {
    safe fn abort() -> !;
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    abort()
}

/// `core` comes compiled for unwinding; with `panic = "abort"` nobody calls this.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}
