//! The irreducible polynomial of degree 53 over GF(2) by which restic cuts files into chunks (`doc/design.rst`, "Chunker"). This engine
//! cuts in another way, and makes one for the configuration of each new repository, so that restic can write there too.

use super::crypto::random;

const DEGREE: u32 = 53;

/// A random irreducible polynomial of degree 53; bit n is the coefficient of xⁿ.
pub fn random_irreducible() -> u64 {
    loop {
        let mut bytes = [0; 8];
        random(&mut bytes);
        // The leading coefficient is 1, and one that x divides is not irreducible.
        let candidate = u64::from_le_bytes(bytes) & ((1 << DEGREE) - 1) | 1 << DEGREE | 1;
        if is_irreducible(candidate) {
            return candidate;
        }
    }
}

/// Ben-Or's test: no factor of degree i divides f, because f has none in common with x^(2^i) − x, for each i up to half its degree.
fn is_irreducible(f: u64) -> bool {
    const X: u64 = 2;
    let mut power = X;
    (0..degree(f) / 2).all(|_| {
        power = multiply(power, power, f);
        gcd(f, power ^ X) == 1
    })
}

fn degree(f: u64) -> u32 {
    f.checked_ilog2().unwrap_or_default()
}

/// a · b modulo f.
fn multiply(a: u64, b: u64, f: u64) -> u64 {
    let top = 1 << degree(f);
    let (mut a, mut b, mut product) = (a, b, 0);
    while b != 0 {
        if b & 1 == 1 {
            product ^= a;
        }
        b >>= 1;
        a <<= 1;
        if a & top != 0 {
            a ^= f;
        }
    }
    product
}

fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, remainder(a, b));
    }
    a
}

fn remainder(mut a: u64, b: u64) -> u64 {
    while a != 0 && degree(a) >= degree(b) {
        a ^= b << (degree(a) - degree(b));
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_are_irreducible_as_there_are() {
        // The number of irreducible polynomials over GF(2) of degree 1 to 10: OEIS A001037.
        for (degree, count) in (1..=10).zip([2, 1, 2, 3, 6, 9, 18, 30, 56, 99]) {
            let found = (1_u64 << degree..1 << (degree + 1)).filter(|f| is_irreducible(*f)).count();
            assert_eq!(found, count, "degree {degree}");
        }
    }

    #[test]
    fn the_polynomial_of_restics_own_tests_is_irreducible() {
        assert!(is_irreducible(0x3D_A335_8B4D_C173));
        assert!(!is_irreducible(0x3D_A335_8B4D_C173 ^ 2));
    }

    #[test]
    fn each_has_degree_53_and_is_another() {
        let (one, two) = (random_irreducible(), random_irreducible());
        assert_eq!([degree(one), degree(two)], [53, 53]);
        assert!(is_irreducible(one) && one != two);
    }
}
