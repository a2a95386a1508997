//! What two people compare to know that nobody is between them.

use crate::id::PublicKey;

use super::Suite;

/// Twelve groups of five decimal digits over two keys: the same for both of their holders, to be read
/// aloud or compared. Whoever is between the two has another key, and to find one that makes the
/// same number they would try about 2¹⁹⁹ keys.
pub fn safety_number(suite: &dyn Suite, one: &PublicKey, other: &PublicKey) -> [u32; 12] {
    let (low, high) = if one < other { (one, other) } else { (other, one) };
    let half = |at| suite.hash(&[b"udpchat 1 safety number", &[at], &low.0, &high.0]);
    let mut groups = [0; 12];
    for (at, half) in groups.chunks_mut(6).zip([half(0), half(1)]) {
        for (group, bytes) in at.iter_mut().zip(half.as_chunks::<5>().0) {
            // 40 bits: no group is much likelier than another.
            let number = bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
            *group = (number % 100_000) as u32;
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::{super::Portable, *};

    #[test]
    fn it_is_the_same_for_both_and_another_for_anyone_else() {
        let [a, b, c] = [1, 2, 3].map(|byte| PublicKey([byte; 32]));
        let of = |one, other| safety_number(&Portable, one, other);
        assert_eq!(of(&a, &b), of(&b, &a));
        let all = [of(&a, &b), of(&a, &c), of(&b, &c)];
        for (at, number) in all.iter().enumerate() {
            assert!(number.iter().all(|group| *group < 100_000));
            let shared = |other: &&[u32; 12]| other.iter().zip(number).any(|(one, two)| one == two);
            assert!(!all[..at].iter().any(|other| shared(&other)), "no group is alike");
        }
    }
}
