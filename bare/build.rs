//! On a microcontroller, gives the linker the script of cortex-m-rt and the memory map.
//! There are no paths to name when it runs on the host.

use std::{env, fs, path::Path};

/// That of the MPS2 board with an AN386 image, a Cortex-M4, as an emulator has it.
const MEMORY: &str = "\
MEMORY
{
  FLASH : ORIGIN = 0x00000000, LENGTH = 4M
  RAM : ORIGIN = 0x20000000, LENGTH = 4M
}
";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if env::var("CARGO_CFG_TARGET_OS").as_deref() != Ok("none") {
        return;
    }
    let out = env::var("OUT_DIR").expect("cargo sets it");
    fs::write(Path::new(&out).join("memory.x"), MEMORY).expect("cargo made the directory");
    println!("cargo::rustc-link-search={out}");
    println!("cargo::rustc-link-arg-bins=-Tlink.x");
}
