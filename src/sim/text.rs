//! The wire's small print: percent-encoding, frames of the Event Socket, dates as FreeSWITCH writes them.
//!
//! Pure functions. Which headers an event has is [`super::events`]' business, when a frame is sent
//! [`super::switch`]'s.

use std::borrow::Cow;
use std::fmt::Write as _;

/// What a client is told before the connection is closed.
const GOODBYE: &str = "Disconnected, goodbye.\nSee you at ClueCon! http://www.cluecon.com/\n";

/// Bytes that FreeSWITCH encodes: these, control characters and everything beyond `~`.
const UNSAFE: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = byte < 32 || byte > 126;
        byte += 1;
    }
    let listed = b" \"#%&+:;<=>?@[\\]^`{|}";
    let mut i = 0;
    while i < listed.len() {
        table[listed[i] as usize] = true;
        i += 1;
    }
    table
};

/// Appends `value` percent-encoded, as event headers are.
///
/// Like FreeSWITCH it does not encode twice: a `%` followed by two upper-case hex digits stays as it is.
pub fn encode_into(out: &mut String, value: &[u8]) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut rest = value;
    while let Some(at) = rest.iter().position(|byte| UNSAFE[usize::from(*byte)]) {
        let (plain, from) = rest.split_at(at);
        // Bytes that need no encoding are ASCII, so this is always text.
        out.push_str(std::str::from_utf8(plain).unwrap_or_default());
        let [byte, after @ ..] = from else { return };
        let encoded_already =
            *byte == b'%' && after.get(..2).is_some_and(|two| two.iter().all(|digit| HEX.contains(digit)));
        out.push('%');
        if !encoded_already {
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 15)]));
        }
        rest = after;
    }
    out.push_str(std::str::from_utf8(rest).unwrap_or_default());
}

/// `value` percent-decoded; a broken `%` stays as it is.
pub fn decode(value: &str) -> Cow<'_, [u8]> {
    percent_encoding::percent_decode_str(value).into()
}

/// The answer to an `api` command. An empty one becomes `-ERR no reply`, as in FreeSWITCH.
pub fn api_response(body: &[u8]) -> Vec<u8> {
    let body = if body.is_empty() { b"-ERR no reply\n" } else { body };
    with_body("api/response", body)
}

/// The answer to every other command; `extra` are whole header lines.
pub fn command_reply(text: &str, extra: &str) -> Vec<u8> {
    format!("Content-Type: command/reply\nReply-Text: {text}\n{extra}\n").into_bytes()
}

/// The greeting of a new connection.
pub fn auth_request() -> Vec<u8> {
    b"Content-Type: auth/request\n\n".to_vec()
}

/// The farewell after `exit` or a wrong password.
pub fn disconnect_notice() -> Vec<u8> {
    with_body("text/disconnect-notice", GOODBYE.as_bytes())
}

/// The greeting of a client whose address is not allowed.
pub fn rude_rejection() -> Vec<u8> {
    with_body("text/rude-rejection", b"Access Denied, go away.\n")
}

fn with_body(kind: &str, body: &[u8]) -> Vec<u8> {
    let mut frame = format!("Content-Type: {kind}\nContent-Length: {}\n\n", body.len()).into_bytes();
    frame.extend_from_slice(body);
    frame
}

/// A moment (microseconds since 1970) as calendar fields, UTC.
struct Civil {
    year: i64,
    month: u64,
    day: u64,
    weekday: u64,
    hour: u64,
    minute: u64,
    second: u64,
}

/// Days to year, month and day, counted in eras of 400 years that begin on 1 March.
fn civil(micros: u64) -> Civil {
    let seconds = micros / 1_000_000;
    let days = seconds / 86_400;
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    Civil {
        year: i64::try_from(year_of_era + era * 400).unwrap_or(0) + i64::from(month <= 2),
        month,
        day: day_of_year - (153 * from_march + 2) / 5 + 1,
        weekday: (days + 4) % 7,
        hour: seconds / 3600 % 24,
        minute: seconds / 60 % 60,
        second: seconds % 60,
    }
}

/// `2026-11-23 09:31:25`.
pub fn date_local(micros: u64) -> String {
    let c = civil(micros);
    format!("{:04}-{:02}-{:02} {:02}:{:02}:{:02}", c.year, c.month, c.day, c.hour, c.minute, c.second)
}

/// `Mon, 23 Nov 2026 09:31:25 GMT`.
pub fn date_gmt(micros: u64) -> String {
    const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let c = civil(micros);
    let day = DAYS.get(c.weekday as usize).unwrap_or(&"");
    let month = MONTHS.get((c.month as usize).saturating_sub(1)).unwrap_or(&"");
    format!("{day}, {:02} {month} {} {:02}:{:02}:{:02} GMT", c.day, c.year, c.hour, c.minute, c.second)
}

/// `0 years, 0 days, 1 hour, 29 minutes, ...`, as `status` and `HEARTBEAT` say how long the switch is up.
pub fn uptime(micros: u64) -> String {
    let parts = [
        (micros / 31_536_000_000_000, "year"),
        (micros / 86_400_000_000 % 365, "day"),
        (micros / 3_600_000_000 % 24, "hour"),
        (micros / 60_000_000 % 60, "minute"),
        (micros / 1_000_000 % 60, "second"),
        (micros / 1_000 % 1_000, "millisecond"),
        (micros % 1_000, "microsecond"),
    ];
    let mut out = String::new();
    for (number, unit) in parts {
        let comma = if out.is_empty() { "" } else { ", " };
        let plural = if number == 1 { "" } else { "s" };
        let _ = write!(out, "{comma}{number} {unit}{plural}");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(value: &[u8]) -> String {
        let mut out = String::new();
        encode_into(&mut out, value);
        out
    }

    #[test]
    fn values_are_encoded_as_in_the_recordings() {
        assert_eq!(encoded(b"conference::maintenance"), "conference%3A%3Amaintenance");
        assert_eq!(encoded(b"Mon, 23 Nov 2026"), "Mon,%2023%20Nov%202026");
        assert_eq!(encoded(b"tone_stream://%(200,0,500)"), "tone_stream%3A//%25(200,0,500)");
        assert_eq!(encoded("語".as_bytes()), "%E8%AA%9E");
        assert_eq!(encoded(b"verbose-1%40verbose"), "verbose-1%40verbose");
        assert_eq!(encoded(b"Jos\xe9\r\n"), "Jos%E9%0D%0A");
    }

    #[test]
    fn dates_are_spelled_as_in_the_recordings() {
        assert_eq!(date_local(1_795_426_285_782_256), "2026-11-23 09:31:25");
        assert_eq!(date_gmt(1_795_426_285_782_256), "Mon, 23 Nov 2026 09:31:25 GMT");
        assert_eq!(date_local(951_782_400_000_000), "2000-02-29 00:00:00");
        assert_eq!(
            uptime(5_378_046_717),
            "0 years, 0 days, 1 hour, 29 minutes, 38 seconds, 46 milliseconds, 717 microseconds"
        );
    }

    #[test]
    fn an_empty_answer_is_no_reply() {
        assert_eq!(api_response(b""), b"Content-Type: api/response\nContent-Length: 14\n\n-ERR no reply\n");
    }
}
