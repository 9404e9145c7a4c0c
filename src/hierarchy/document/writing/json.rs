//! JSON that is written as it comes up, without a value that holds it: a large state has millions of numbers.

use serde::Serialize;

/// JSON behind what is there already. Each value has a comma behind it, until what it is in ends.
pub(super) struct Json<'b> {
    bytes: &'b mut Vec<u8>,
    fault: Option<serde_json::Error>,
}

impl<'b> Json<'b> {
    pub(super) const fn behind(bytes: &'b mut Vec<u8>) -> Self {
        Self { bytes, fault: None }
    }

    /// Finds room for so many bytes more at once: growing on the way, it would be copied again and again.
    pub(super) fn make_room(&mut self, bytes: usize) {
        self.bytes.reserve(bytes);
    }

    /// Ends what was written, which is one value.
    pub(super) fn end(self) -> Result<(), serde_json::Error> {
        let comma = self.bytes.pop();
        debug_assert_eq!(comma, Some(b','), "it ends behind a value");
        self.fault.map_or(Ok(()), Err)
    }

    pub(super) fn begin_list(&mut self) {
        self.bytes.push(b'[');
    }

    pub(super) fn end_list(&mut self) {
        self.close(b"],");
    }

    pub(super) fn begin_object(&mut self) {
        self.bytes.push(b'{');
    }

    pub(super) fn end_object(&mut self) {
        self.close(b"},");
    }

    /// The name of the value that follows.
    pub(super) fn field(&mut self, name: &'static str) {
        self.bytes.push(b'"');
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.extend_from_slice(b"\":");
    }

    pub(super) fn null(&mut self) {
        self.bytes.extend_from_slice(b"null,");
    }

    pub(super) fn number(&mut self, number: u32) {
        // Kinds, sources, most places and times.
        if let (0..10, Ok(digit)) = (number, u8::try_from(number)) {
            return self.bytes.extend_from_slice(&[b'0' + digit, b',']);
        }
        self.value(&number);
    }

    pub(super) fn negative(&mut self, number: u32) {
        self.bytes.push(b'-');
        self.number(number);
    }

    /// Whatever else there is.
    pub(super) fn value<T: Serialize + ?Sized>(&mut self, value: &T) {
        if let Err(fault) = serde_json::to_writer(&mut *self.bytes, value) {
            self.fault.get_or_insert(fault);
        }
        self.bytes.push(b',');
    }

    fn close(&mut self, closed: &[u8; 2]) {
        if self.bytes.last() == Some(&b',') {
            self.bytes.pop();
        }
        self.bytes.extend_from_slice(closed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_json() {
        let mut bytes = b"before".to_vec();
        let mut json = Json::behind(&mut bytes);
        json.begin_object();
        json.field("none");
        json.begin_list();
        json.end_list();
        json.field("some");
        json.begin_list();
        for number in [0, 9, 10, u32::MAX] {
            json.number(number);
        }
        json.negative(1);
        json.null();
        json.value("a \"b\"");
        json.begin_object();
        json.end_object();
        json.end_list();
        json.end_object();
        json.end().unwrap();
        let expected = r#"before{"none":[],"some":[0,9,10,4294967295,-1,null,"a \"b\"",{}]}"#;
        assert_eq!(bytes, expected.as_bytes());
    }
}
