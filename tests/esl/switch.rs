//! How FreeSWITCH writes and reads, as its source has it, for tests that need more than the recordings.

/// `SWITCH_URL_UNSAFE` (switch_utils.h).
const UNSAFE: &[u8] = b"\r\n #%&+:;<=>?@[\\]^`{|}\"";

/// Whether FreeSWITCH takes what begins here for an escape that is there already, and leaves it alone.
fn is_escape(text: &[u8]) -> bool {
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'A'..=b'F');
    matches!(text, [b'%', high, low, ..] if is_digit(high) && is_digit(low))
}

/// `switch_url_encode` (switch_utils.c): what is encoded is capital hexadecimal.
pub(crate) fn url_encode(value: &[u8]) -> Vec<u8> {
    let mut encoded = Vec::new();
    for (at, byte) in value.iter().enumerate() {
        let is_unsafe = !(b' '..=b'~').contains(byte) || UNSAFE.contains(byte);
        if is_unsafe && !is_escape(&value[at..]) {
            encoded.extend_from_slice(format!("%{byte:02X}").as_bytes());
        } else {
            encoded.push(*byte);
        }
    }
    encoded
}

/// What a reader can know of a value that went through [`url_encode`]: escapes that were in it are gone
/// if the switch would have written them, nothing else is.
pub(crate) fn readable(value: &[u8]) -> Vec<u8> {
    if value.is_empty() {
        return b"_undef_".to_vec();
    }
    let mut readable = Vec::new();
    let mut at = 0;
    while at < value.len() {
        if is_escape(&value[at..]) {
            let digits = std::str::from_utf8(&value[at + 1..at + 3]).unwrap();
            let byte = u8::from_str_radix(digits, 16).unwrap();
            // What the switch would not have escaped is no escape.
            let is_escape = url_encode(&[byte]) != [byte];
            readable.extend_from_slice(if is_escape {
                std::slice::from_ref(&byte)
            } else {
                &value[at..at + 3]
            });
            at += 3;
        } else {
            readable.push(value[at]);
            at += 1;
        }
    }
    readable
}

/// `switch_event_serialize` (switch_event.c): an empty value is written `_undef_`, an empty body not at
/// all, and the length of a body stands behind all other headers.
pub(crate) fn serialize(headers: &[(Vec<u8>, Vec<u8>)], body: &[u8]) -> Vec<u8> {
    let mut event = Vec::new();
    for (name, value) in headers {
        let value = if value.is_empty() { b"_undef_".to_vec() } else { url_encode(value) };
        event.extend_from_slice(&[name, b": ".as_slice(), &value, b"\n"].concat());
    }
    if !body.is_empty() {
        event.extend_from_slice(format!("Content-Length: {}\n", body.len()).as_bytes());
    }
    event.push(b'\n');
    event.extend_from_slice(body);
    event
}

/// A frame with a body, in the order of mod_event_socket.
pub(crate) fn frame(content_type: &str, body: &[u8]) -> Vec<u8> {
    let (length, kind) =
        (format!("Content-Length: {}\n", body.len()), format!("Content-Type: {content_type}\n"));
    let head = if content_type.starts_with("text/event") { length + &kind } else { kind + &length };
    [head.as_bytes(), b"\n", body].concat()
}

/// A command as the switch has it after reading: its line and its headers.
pub(crate) type Read = (Vec<u8>, Vec<(Vec<u8>, Vec<u8>)>);

/// `read_packet` (mod_event_socket.c) until nothing is left: line ends before a command are passed over,
/// it ends at an empty line or after 10 MiB, and a `Content-Length` takes what follows as its body.
pub(crate) fn read_commands(wire: &[u8]) -> Vec<Read> {
    let mut commands = Vec::new();
    let mut rest = wire;
    loop {
        while let [b'\r' | b'\n', behind @ ..] = rest {
            rest = behind;
        }
        let mut line_ends = 0;
        let end = rest.iter().position(|byte| {
            match byte {
                b'\n' => line_ends += 1,
                b'\r' => {}
                _ => line_ends = 0,
            }
            line_ends == 2
        });
        let end = end.map_or(rest.len(), |end| end + 1).min(10 << 20);
        if end == 0 {
            return commands;
        }
        let (text, behind) = rest.split_at(end);
        rest = behind;
        // C strings end at NUL.
        let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
        let mut lines = text.split(|byte| matches!(byte, b'\r' | b'\n')).filter(|line| !line.is_empty());
        let line = lines.next().unwrap_or_default().to_vec();
        let mut headers = Vec::new();
        for line in lines {
            let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
            let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii_start());
            if name.eq_ignore_ascii_case(b"content-length") {
                let digits = value.iter().take_while(|byte| byte.is_ascii_digit()).count();
                let length = std::str::from_utf8(&value[..digits]).unwrap().parse().unwrap_or(0);
                rest = &rest[rest.len().min(length)..];
            }
            headers.push((name.to_vec(), value.to_vec()));
        }
        commands.push((line, headers));
    }
}
