//! The SHA-256 of a document, of which the beginning is hashed before its end is known.

use sha2::{Digest as _, Sha256};

/// How a document begins, as far as its SHA-256 goes. A store that proves who writes what needs that of the whole, and who
/// waits for something else meanwhile has the time for most of it.
#[derive(Clone, Debug, Default)]
pub struct Hashed {
    sha256: Sha256,
    bytes: usize,
}

impl Hashed {
    /// Of a document that begins with these bytes.
    pub fn beginning(bytes: &[u8]) -> Self {
        let mut sha256 = Sha256::new();
        sha256.update(bytes);
        let bytes = bytes.len();
        Self { sha256, bytes }
    }

    /// The SHA-256 of the whole document.
    pub fn of_whole(mut self, document: &[u8]) -> [u8; 32] {
        let rest = document.get(self.bytes..).unwrap_or_default();
        self.sha256.update(rest);
        let whole = self.sha256.finalize().into();
        debug_assert_eq!(
            whole,
            <[u8; 32]>::from(Sha256::digest(document)),
            "the document begins as it was said to"
        );
        whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wherever_a_document_is_cut_its_hash_is_the_same() {
        let document: Vec<u8> = (0..200).collect();
        let expected: [u8; 32] = Sha256::digest(&document).into();
        for at in [0, 1, 63, 64, 65, 199, 200] {
            let hashed = Hashed::beginning(&document[..at]);
            assert_eq!(hashed.of_whole(&document), expected);
        }
    }
}
