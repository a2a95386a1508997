//! The program where nothing starts it but the processor. It prints what it took, to
//! the debugger or emulator that it runs under.

use core::{fmt::Write, panic::PanicInfo, ptr};

use cortex_m_semihosting::{debug, hio, nr, syscall};

use crate::conversation::{Memory, NoRandomness, converse};

// Places that the linker script of cortex-m-rt names. Nothing is read from them but
// what is left of the paint on the stack.
unsafe extern "C" {
    static __stext: u8;
    static __etext: u8;
    static __srodata: u8;
    static __erodata: u8;
    static __sdata: u8;
    static __edata: u8;
    static __sbss: u8;
    static __ebss: u8;
    static _stack_end: u8;
    static _stack_start: u8;
}

/// What cortex-m-rt paints the stack with before anything else.
const PAINT: u8 = 0xcc;

#[cortex_m_rt::entry]
fn main() -> ! {
    // `entry` makes it a `&'static mut`, since nobody calls this twice.
    static mut MEMORY: Memory = Memory::new();
    let done = converse(MEMORY, fill).is_some();
    // What is printed is not to count as the conversation's.
    let stack = peak_stack();
    report(stack);
    leave(done)
}

/// From the computer that the emulator runs on: this board has no source of its own.
fn fill(bytes: &mut [u8]) -> Result<(), NoRandomness> {
    let path = c"/dev/urandom";
    // SAFETY: the arguments are those that the call is documented with: a path that ends in
    // a zero, how to open it, its length.
    let file = unsafe { syscall!(OPEN, path.as_ptr(), nr::open::R_BINARY, path.count_bytes()) };
    if file == usize::MAX {
        return Err(NoRandomness);
    }
    // SAFETY: it writes at most so many bytes from there on.
    let missing = unsafe { syscall!(READ, file, bytes.as_mut_ptr(), bytes.len()) };
    // SAFETY: the file is open.
    unsafe { syscall!(CLOSE, file) };
    if missing == 0 { Ok(()) } else { Err(NoRandomness) }
}

fn report(stack: usize) {
    let span = |from: *const u8, to: *const u8| to.addr() - from.addr();
    let lines = [
        ("code", span(&raw const __stext, &raw const __etext)),
        ("constants", span(&raw const __srodata, &raw const __erodata)),
        ("initialised statics", span(&raw const __sdata, &raw const __edata)),
        ("zeroed statics", span(&raw const __sbss, &raw const __ebss)),
        ("peak stack", stack),
    ];
    let Ok(mut out) = hio::hstdout() else { return };
    for (what, bytes) in lines.iter().chain(&Memory::SIZES) {
        let _ = writeln!(out, "{bytes:7} {what}");
    }
}

/// How far the stack ever reached.
fn peak_stack() -> usize {
    let (end, start) = (&raw const _stack_end, &raw const _stack_start);
    let length = start.addr() - end.addr();
    // SAFETY: all between the two symbols is RAM that cortex-m-rt painted.
    let untouched = |at: &usize| unsafe { ptr::read_volatile(end.add(*at)) } == PAINT;
    length - (0..length).take_while(untouched).count()
}

fn leave(success: bool) -> ! {
    debug::exit(if success { debug::EXIT_SUCCESS } else { debug::EXIT_FAILURE });
    loop {
        core::hint::spin_loop();
    }
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    leave(false)
}
