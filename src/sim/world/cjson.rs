//! Documents as cJSON prints them: tabs, `,\n` between the members of an object, `, ` between the items
//! of an array; or all on one line.
//!
//! It writes straight into the answer: a list of 20,000 members is ten megabytes of text.

/// Writes one document.
pub(crate) struct Printer {
    out: Vec<u8>,
    formatted: bool,
    /// Objects and arrays that are open.
    depth: usize,
    /// The open object or array has no member yet.
    first: bool,
}

impl Printer {
    pub(crate) fn new(formatted: bool, capacity: usize) -> Self {
        Self { out: Vec::with_capacity(capacity), formatted, depth: 0, first: true }
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.out
    }

    pub(crate) fn object(&mut self, write: impl FnOnce(&mut Self)) {
        self.out.push(b'{');
        if self.formatted {
            self.out.push(b'\n');
        }
        self.nested(write);
        if self.formatted {
            if !self.first {
                self.out.push(b'\n');
            }
            self.tabs(self.depth);
        }
        self.out.push(b'}');
        self.first = false;
    }

    pub(crate) fn array(&mut self, write: impl FnOnce(&mut Self)) {
        self.out.push(b'[');
        self.nested(write);
        self.out.push(b']');
        self.first = false;
    }

    /// The next item of the open array; call it before writing the item.
    pub(crate) fn item(&mut self) {
        if !self.first {
            self.out.extend_from_slice(if self.formatted { b", " } else { b"," });
        }
    }

    /// The name of the next member of the open object.
    pub(crate) fn key(&mut self, name: &str) {
        if !self.first {
            self.out.extend_from_slice(if self.formatted { b",\n" } else { b"," });
        }
        if self.formatted {
            self.tabs(self.depth);
        }
        self.string(name.as_bytes());
        self.out.extend_from_slice(if self.formatted { b":\t" } else { b":" });
    }

    pub(crate) fn number(&mut self, name: &str, value: i64) {
        self.key(name);
        self.out.extend_from_slice(value.to_string().as_bytes());
        self.first = false;
    }

    pub(crate) fn boolean(&mut self, name: &str, value: bool) {
        self.key(name);
        self.out.extend_from_slice(if value { b"true" } else { b"false" });
        self.first = false;
    }

    pub(crate) fn text(&mut self, name: &str, value: &[u8]) {
        self.key(name);
        self.string(value);
        self.first = false;
    }

    /// Bytes beyond ASCII go out as they are, valid UTF-8 or not.
    fn string(&mut self, value: &[u8]) {
        self.out.push(b'"');
        for &byte in value {
            match byte {
                b'"' | b'\\' => self.out.extend_from_slice(&[b'\\', byte]),
                b'\x08' => self.out.extend_from_slice(b"\\b"),
                b'\x0c' => self.out.extend_from_slice(b"\\f"),
                b'\n' => self.out.extend_from_slice(b"\\n"),
                b'\r' => self.out.extend_from_slice(b"\\r"),
                b'\t' => self.out.extend_from_slice(b"\\t"),
                0..=31 => self.out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
                _ => self.out.push(byte),
            }
        }
        self.out.push(b'"');
    }

    fn nested(&mut self, write: impl FnOnce(&mut Self)) {
        self.depth += 1;
        self.first = true;
        write(self);
        self.depth -= 1;
    }

    fn tabs(&mut self, count: usize) {
        self.out.resize(self.out.len() + count, b'\t');
    }
}

#[cfg(test)]
mod tests {
    use super::Printer;

    fn sample(formatted: bool) -> String {
        let mut p = Printer::new(formatted, 64);
        p.array(|p| {
            for _ in 0..2 {
                p.item();
                p.object(|p| {
                    p.text("name", "\"Zoë\"\t\x01".as_bytes());
                    p.key("variables");
                    p.object(|_| {});
                    p.boolean("locked", false);
                });
            }
        });
        String::from_utf8(p.finish()).expect("text")
    }

    #[test]
    fn the_layout_is_that_of_the_recordings() {
        let one = "{\n\t\t\"name\":\t\"\\\"Zoë\\\"\\t\\u0001\",\n\t\t\"variables\":\t{\n\t\t},\n\t\t\"locked\":\tfalse\n\t}";
        assert_eq!(sample(true), format!("[{one}, {one}]"));
        assert_eq!(
            sample(false),
            "[{\"name\":\"\\\"Zoë\\\"\\t\\u0001\",\"variables\":{},\"locked\":false},{\"name\":\"\\\"Zoë\\\"\\t\\u0001\",\"variables\":{},\"locked\":false}]"
        );
    }
}
