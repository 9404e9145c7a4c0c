//! Secrets that are made of secrets: all memory that they are put together in is wiped.
//!
//! A text that grows leaves behind what it has outgrown, so each is made with all the room that it needs.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use secrecy::{SecretString, zeroize::Zeroizing};

/// These texts, one after the other.
pub(crate) fn joined(parts: &[&str]) -> SecretString {
    let mut text = String::with_capacity(parts.iter().map(|part| part.len()).sum());
    parts.iter().for_each(|part| text.push_str(part));
    // With no room left over it becomes the secret as it is, and is not copied.
    text.into()
}

/// What HTTP Basic sends for a name and its password, by RFC 7617.
pub(crate) fn basic(user: &str, password: &str) -> SecretString {
    let pair: Zeroizing<Vec<u8>> = [user.as_bytes(), b":", password.as_bytes()].concat().into();
    let encoded = Zeroizing::new(BASE64_STANDARD.encode(&*pair));
    joined(&["Basic ", &encoded])
}

/// What a bearer sends, by RFC 6750.
pub(crate) fn bearer(token: &str) -> SecretString {
    joined(&["Bearer ", token])
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn a_name_and_a_password_and_a_token_are_written_as_their_rfcs_say() {
        let pair = basic("Aladdin", "open sesame");
        assert_eq!(pair.expose_secret(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert_eq!(bearer("abc").expose_secret(), "Bearer abc");
        assert_eq!(joined(&["a", "", "b"]).expose_secret(), "ab");
    }
}
