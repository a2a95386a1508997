use transport_mio::memory::*;
fn main() {
    for n in [8usize, 1000, 10_000, 100_000] {
        let s = ServerSizes::for_clients(n);
        let m = ServerMemory::new(&s);
        let total: usize = m.bytes().iter().map(|t| t.total()).sum();
        println!("n={n} total {} KiB, {} B each", total >> 10, total / n);
        if n == 100_000 || n == 8 {
            for t in m.bytes() {
                println!(
                    "   {:20} {:8} x {:5} = {:10} ({} B/client)",
                    t.table,
                    t.places,
                    t.each,
                    t.total(),
                    t.total() / n
                );
            }
        }
    }
}
