//! What is read at the start only: a running daemon that reads its configuration again keeps it, and says so.

use super::{Amqp, Api, Callin, Conference, Config, Database, Dial, Esl, Events, Log, Media, Metrics};

/// Compares two values of a section key by key. Each key has to stand here: one that is new is either told or left
/// out on purpose, behind `again`, because it is taken over.
macro_rules! compare {
    ($found:ident, $section:literal, $old:expr, $new:expr,
     $Type:ident { $($key:ident),* $(; again $($again:ident),+)? }) => {{
        let $Type { $($key,)* $($($again: _,)+)? } = $old;
        $(if *$key != $new.$key {
            $found.push(concat!($section, ".", stringify!($key)));
        })*
    }};
}

/// The keys whose values differ and count after a restart only.
pub(super) fn changed(old: &Config, new: &Config) -> Vec<&'static str> {
    let mut found = Vec::new();
    let Config {
        api,
        database,
        conference,
        media,
        dial,
        callin,
        prompts,
        metrics,
        events,
        amqp,
        node: _,
        esl,
        log,
    } = old;
    compare!(
        found,
        "api",
        api,
        new.api,
        Api {
            listen,
            socket_mode,
            tls_certificate,
            tls_key,
            trusted_proxies,
            cors_origins,
            max_connections,
            max_requests_per_s,
            max_body_bytes,
            max_header_bytes,
            header_timeout_ms,
            body_timeout_ms,
            answer_timeout_ms,
            idle_timeout_s,
            shutdown_grace_s
        }
    );
    compare!(
        found,
        "database",
        database,
        new.database,
        Database { url, password_file, connections, timeout_ms, audit_keep_days }
    );
    compare!(
        found,
        "conference",
        conference,
        new.conference,
        Conference { default_account, timestamps, kick_sound, audit_interval_s }
    );
    compare!(found, "media", media, new.media, Media { roots, schemes, recordings });
    compare!(
        found,
        "dial",
        dial,
        new.dial,
        Dial { number, uri, timeout_s, caller_id_name, caller_id_number, max_pending }
    );
    compare!(found, "callin", callin, new.callin, Callin {
        enabled, contexts, domains, lobbies, tries, answer_timeout_ms, digit_timeout_ms, prompt_timeout_ms,
        max_dialogues, max_wrong_pins, wrong_pin_window_s, lockout_s, moderators_over_limit,
        moderators_over_lock, join_timeout_ms, names, name_limit_s, language, shared; again banned
    });
    if *prompts != new.prompts {
        found.push("prompts");
    }
    compare!(found, "metrics", metrics, new.metrics, Metrics { enabled, allow });
    compare!(
        found,
        "events",
        events,
        new.events,
        Events {
            publish_participant_event,
            websocket_events,
            sse_events,
            channel_variable_prefixes,
            node_name,
            max_bindings,
            max_connections_per_token,
            idle_timeout_s
        }
    );
    compare!(
        found,
        "amqp",
        amqp,
        new.amqp,
        Amqp {
            url,
            password_file,
            exchange,
            buffer,
            persistent,
            publish_participant_event,
            reconnect_min_ms,
            reconnect_max_ms
        }
    );
    compare!(found, "esl", esl, new.esl, Esl { max_header_bytes, max_event_bytes, max_response_bytes });
    compare!(found, "log", log, new.log, Log { format; again level });
    found
}
