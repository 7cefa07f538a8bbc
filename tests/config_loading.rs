//! What stops the start, what it says, and what the environment may set.

use std::path::{Path, PathBuf};

use convened::config::{Config, ConfigError, Environment, LogFormat, Timestamps};

const NODE: &str = "[[node]]\nname = \"fs1\"\npassword = \"ClueCon\"\n";

/// A configuration file in a directory of its own.
struct Case {
    directory: tempfile::TempDir,
}

impl Case {
    fn new(text: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("conf.toml"), text).unwrap();
        Self { directory }
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("conf.toml")
    }

    fn load(&self, variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
        Config::load(&self.file(), &Environment::from_variables(variables.iter().copied()))
    }
}

/// The error of a file as text, with `conf.toml` for its path.
fn refusal(text: &str, variables: &[(&str, &str)]) -> String {
    let case = Case::new(text);
    let error = case.load(variables).expect_err("the configuration is wrong").to_string();
    error.replace(case.file().to_str().unwrap(), "conf.toml")
}

fn accepted(text: &str, variables: &[(&str, &str)]) -> Config {
    Case::new(text).load(variables).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn an_empty_file_gives_the_defaults() {
    assert_eq!(accepted("", &[]), Config::default());
}

#[test]
fn a_missing_file_is_named() {
    let error = Config::load(Path::new("no/such/conf.toml"), &Environment::empty()).unwrap_err().to_string();
    assert!(error.starts_with("no/such/conf.toml: cannot be read: "), "{error}");
}

#[test]
fn an_unknown_key_names_file_and_key_and_the_known_ones() {
    let error = refusal("[api]\nlisten_on = \"x\"\n", &[]);
    assert!(
        error.starts_with("conf.toml: api.listen_on: unknown field `listen_on`, expected one of `listen`"),
        "{error}"
    );
    let error = refusal("[apis]\n", &[]);
    assert!(error.starts_with("conf.toml: apis: unknown field `apis`"), "{error}");
    let error = refusal(&format!("{NODE}adress = \"x:1\"\n"), &[]);
    assert!(error.starts_with("conf.toml: node[0].adress: unknown field"), "{error}");
}

#[test]
fn a_wrong_type_names_file_and_key() {
    for (text, expected) in [
        (
            "[api]\nmax_connections = \"100\"",
            "conf.toml: api.max_connections: invalid type: string \"100\", expected usize",
        ),
        (
            "[api]\nmax_connections = -1",
            "conf.toml: api.max_connections: invalid value: integer `-1`, expected usize",
        ),
        (
            "[api]\nlisten = 8000",
            "conf.toml: api.listen: invalid type: integer `8000`, expected an address to listen on, or a list of them",
        ),
        ("[api]\nlisten = \"localhost:8000\"", "conf.toml: api.listen: expected IP:port such as"),
        (
            "[conference]\nkick_sound = 1",
            "conf.toml: conference.kick_sound: invalid type: integer `1`, expected a boolean",
        ),
        (
            "[conference]\ntimestamps = \"julian\"",
            "conf.toml: conference.timestamps: unknown variant `julian`, expected `gregorian` or `unix`",
        ),
        (
            "[conference]\ntimestamps = 7",
            "conf.toml: conference.timestamps: expected one of \"gregorian\", \"unix\"",
        ),
        ("api = 1", "conf.toml: api: invalid type: integer `1`, expected struct Api"),
        ("[node]\nname = \"x\"", "conf.toml: node: invalid type: map, expected a sequence"),
        ("[[node]]\npassword = \"x\"", "conf.toml: node[0]: missing field `name`"),
    ] {
        let error = refusal(text, &[]);
        assert!(error.starts_with(expected), "{error}\ninstead of\n{expected}");
    }
}

#[test]
fn places_to_listen_at_are_one_or_several() {
    let shown = |text: &str, variables: &[(&str, &str)]| -> Vec<String> {
        let config = Config::parse(
            text,
            Path::new("conf.toml"),
            &Environment::from_variables(variables.iter().copied()),
        )
        .expect(text);
        config.api.listen.iter().map(ToString::to_string).collect()
    };
    let several =
        "[api]\nlisten = [\"127.0.0.1:8000\", \"tls:[::]:8443\", \"unix:/run/convened/api.sock\"]\n";
    assert_eq!(shown("", &[]), ["127.0.0.1:8000"]);
    assert_eq!(shown("[api]\nlisten = \"[::1]:0\"\n", &[]), ["[::1]:0"]);
    assert_eq!(shown(several, &[]), ["127.0.0.1:8000", "tls:[::]:8443", "unix:/run/convened/api.sock"]);
    let variable = ("CONVENED__API__LISTEN", "0.0.0.0:80, tls:0.0.0.0:443");
    assert_eq!(shown(several, &[variable]), ["0.0.0.0:80", "tls:0.0.0.0:443"]);
    for (text, expected) in [
        ("listen = []", "api.listen: names no address to listen on"),
        ("listen = \"unix:api.sock\"", "api.listen: expected the absolute path of a socket"),
        ("listen = [\"127.0.0.1:1\", \"localhost:2\"]", "api.listen[1]: expected IP:port such as"),
        (
            "listen = [\"127.0.0.1:1\", \"tls:127.0.0.1:1\"]",
            "api.listen[1]: `tls:127.0.0.1:1` takes what an earlier one takes",
        ),
        (
            "listen = [\"[::]:1\", \"0.0.0.0:1\"]",
            "api.listen[1]: `0.0.0.0:1` takes what an earlier one takes",
        ),
        ("listen = \"tls:127.0.0.1:1\"", "api.tls_certificate: is needed for the addresses of api.listen"),
        ("tls_key = \"key.pem\"", "api.tls_key: is there, and no address of api.listen begins with tls:"),
        ("socket_mode = \"660x\"", "api.socket_mode: expected permissions such as \"0660\""),
        ("socket_mode = \"4755\"", "api.socket_mode: expected permissions such as \"0660\""),
        ("socket_mode = 660", "api.socket_mode: invalid type: integer `660`, expected a string"),
    ] {
        let error = refusal(&format!("[api]\n{text}\n"), &[]);
        assert!(error.contains(expected), "{text}: {error}");
    }
}

#[test]
fn origins_are_written_as_browsers_write_them() {
    let problems = |list: &str| {
        let text = format!("[api]\ncors_origins = {list}\n");
        Config::parse(&text, Path::new("conf.toml"), &Environment::empty()).unwrap().check()
    };
    for good in ["[]", "[\"*\"]", "[\"https://app.example.com\", \"http://[::1]:3000\"]"] {
        assert_eq!(problems(good), [], "{good}");
    }
    for wrong in [
        "app.example.com",
        "ftp://a.example",
        "https://",
        "https://a.example/",
        "https://A.example",
        "https://a.example:443",
        "https://*.example",
        "",
    ] {
        let found = problems(&format!("[\"http://ok.example\", \"{wrong}\"]"));
        assert_eq!(found.len(), 1, "{wrong}: {found:?}");
        assert_eq!(found[0].key.as_deref(), Some("api.cors_origins[1]"));
    }
}

#[test]
fn trusted_proxies_are_addresses_and_prefixes() {
    let shown = |config: Config| -> Vec<String> {
        config.api.trusted_proxies.iter().map(ToString::to_string).collect()
    };
    let text = "[api]\ntrusted_proxies = [\"10.0.0.1\", \"fd00::/8\"]\n";
    assert_eq!(shown(accepted(text, &[])), ["10.0.0.1", "fd00::/8"]);
    let variable = "CONVENED__API__TRUSTED_PROXIES";
    assert_eq!(shown(accepted(text, &[(variable, "10.1.0.0/16, ::1")])), ["10.1.0.0/16", "::1"]);
    assert_eq!(shown(accepted(text, &[(variable, "")])), [""; 0]);
    for (list, expected) in [
        ("[\"10.0.0.1\", \"proxy\"]", "api.trusted_proxies[1]: expected an IP address, a prefix such as"),
        ("[\"10.0.0.1/40\"]", "api.trusted_proxies[0]: expected an IP address, a prefix such as"),
        ("[\"10.0.0.5/8\"]", "api.trusted_proxies[0]: `10.0.0.5/8` has bits beyond its prefix"),
        ("[7]", "api.trusted_proxies[0]: invalid type: integer `7`, expected a string"),
        ("\"10.0.0.1\"", "api.trusted_proxies: invalid type: string \"10.0.0.1\", expected a sequence"),
    ] {
        let error = refusal(&format!("[api]\ntrusted_proxies = {list}\n"), &[]);
        assert!(error.starts_with(&format!("conf.toml: {expected}")), "{error}");
    }
    assert!(refusal("[api]\ntrusted_proxies = [\"proxy\"]\n", &[]).ends_with("found `proxy`"));
    let error = refusal("", &[(variable, "10.0.0.1,10.0.0")]);
    assert!(error.starts_with(&format!("{variable}: api.trusted_proxies[1]: expected an IP")), "{error}");
}

#[test]
fn a_password_without_quotes_is_refused_and_not_repeated() {
    for wrong in ["1234567", "-1234567", "true", "12345.67"] {
        let error = refusal(&format!("[[node]]\nname = \"fs1\"\npassword = {wrong}\n"), &[]);
        assert!(
            error.starts_with("conf.toml: node[0].password: expected a string: put it in quotes"),
            "{error}"
        );
        assert!(!error.contains("1234567"), "{error}");
    }
    let config = accepted("[[node]]\nname = \"fs1\"\npassword = \"1234567\"\n", &[]);
    assert_eq!(config.node[0].read_password().unwrap().expose(), "1234567");
}

#[test]
fn a_syntax_error_names_the_position_and_never_shows_the_line() {
    let error = refusal("[[node]]\nname = \"fs1\"\npassword = \"hunter2\n", &[]);
    assert!(error.starts_with("conf.toml: TOML parse error at line 3, column "), "{error}");
    assert!(!error.contains("hunter2"), "{error}");
    assert!(error.contains("string"), "the reason is told: {error}");
}

#[test]
fn the_environment_overrides_single_values_with_the_type_of_the_key() {
    let config = accepted(
        &format!("{NODE}[api]\nmax_connections = 7\nidle_timeout_s = 9\n"),
        &[
            ("CONVENED__API__LISTEN", "[::1]:0"),
            ("CONVENED__API__MAX_CONNECTIONS", "100"),
            ("CONVENED__DATABASE__URL", "sqlite:123"),
            ("CONVENED__CONFERENCE__DEFAULT_ACCOUNT", "123"),
            ("CONVENED__CONFERENCE__KICK_SOUND", "true"),
            ("CONVENED__CONFERENCE__TIMESTAMPS", "unix"),
            ("CONVENED__LOG__LEVEL", "debug"),
            ("CONVENED__LOG__FORMAT", "json"),
            ("CONVENED", "not ours"),
            ("CONVENEDX__API__LISTEN", "not ours"),
        ],
    );
    assert_eq!(config.api.listen[0].to_string(), "[::1]:0");
    assert_eq!((config.api.max_connections, config.api.idle_timeout_s), (100, 9));
    assert_eq!(config.database.url, "sqlite:123");
    assert_eq!(config.conference.default_account.as_deref(), Some("123"), "a string stays one");
    assert!(config.conference.kick_sound);
    assert_eq!(config.conference.timestamps, Timestamps::Unix);
    assert_eq!((config.log.level.as_str(), config.log.format), ("debug", LogFormat::Json));
    assert_eq!(config.node.len(), 1);
}

#[test]
fn a_wrong_variable_is_named() {
    for (name, value, expected) in [
        ("CONVENED__API__LISTNE", "x", "CONVENED__API__LISTNE: api.listne: unknown field `listne`"),
        ("CONVENED__APIS__LISTEN", "x", "CONVENED__APIS__LISTEN: apis: unknown field `apis`"),
        (
            "CONVENED__API__MAX_CONNECTIONS",
            "many",
            "CONVENED__API__MAX_CONNECTIONS: api.max_connections: expected a whole number, found `many`",
        ),
        (
            "CONVENED__API__MAX_CONNECTIONS",
            "",
            "CONVENED__API__MAX_CONNECTIONS: api.max_connections: expected a whole number, found ``",
        ),
        (
            "CONVENED__API__MAX_CONNECTIONS",
            "-3",
            "CONVENED__API__MAX_CONNECTIONS: api.max_connections: invalid value: integer `-3`",
        ),
        (
            "CONVENED__API__MAX_CONNECTIONS",
            "0",
            "CONVENED__API__MAX_CONNECTIONS: api.max_connections: expected 1 to 1000000, found 0",
        ),
        (
            "CONVENED__CONFERENCE__KICK_SOUND",
            "yes",
            "CONVENED__CONFERENCE__KICK_SOUND: conference.kick_sound: expected true or false, found `yes`",
        ),
        ("CONVENED__API", "x", "CONVENED__API: names no key"),
        ("CONVENED__API__LISTEN__PORT", "x", "CONVENED__API__LISTEN__PORT: names no key"),
        ("CONVENED__api__listen", "x", "CONVENED__api__listen: the names of our variables are in capitals"),
        (
            "CONVENED__NODE__0__PASSWORD",
            "hunter2",
            "CONVENED__NODE__0__PASSWORD: [[node]] cannot be set from the environment",
        ),
        (
            "CONVENED__NODE__PASSWORD",
            "hunter2",
            "CONVENED__NODE__PASSWORD: [[node]] cannot be set from the environment",
        ),
    ] {
        let error = refusal(NODE, &[(name, value)]);
        assert!(error.starts_with(expected), "{error}\ninstead of\n{expected}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn a_variable_does_not_hide_what_is_wrong_in_the_file() {
    for text in ["api = 1", "[api]\nlisten = 8000"] {
        let error = refusal(text, &[("CONVENED__API__LISTEN", "127.0.0.1:1")]);
        assert!(error.contains("invalid type: integer"), "{error}");
    }
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_not_unicode_is_named() {
    use std::os::unix::ffi::OsStringExt;
    let value = std::ffi::OsString::from_vec(vec![b'a', 0xff]);
    let environment = Environment::from_variables([("CONVENED__LOG__LEVEL", value)]);
    let error = Config::load(&Case::new("").file(), &environment).unwrap_err().to_string();
    assert_eq!(error, "CONVENED__LOG__LEVEL: the value is not Unicode text");
}

#[test]
fn all_semantic_problems_are_reported_at_once() {
    let text = r#"
        [database]
        url = "mysql://me:hunter2@db/x"
        [conference]
        default_account = " "
        [[node]]
        name = "fs1"
        address = "fs1.example.com"
        password = ""
        [[node]]
        name = "fs1"
        address = "::1:8021"
        reconnect_min_ms = 500
        reconnect_max_ms = 100
        [[node]]
        name = "not a name"
        password = "x"
        password_file = "x"
        user = "nodomain"
        connect_timeout_ms = 0
        [[node]]
        name = "fs4"
        password_file = "missing"
        stale_after_s = 121
        [[node]]
        name = "fs5"
        password = "x"
        stale_after_s = 86401
        gone_after_s = 0
        [log]
        level = "lots"
    "#;
    let error = refusal(text, &[]);
    let places: Vec<&str> = error.lines().map(|line| line.split(": ").nth(1).unwrap()).collect();
    assert_eq!(
        places,
        [
            "database.url",
            "conference.default_account",
            "node[0].address",
            "node[0].password",
            "node[1].address",
            "node[1]",
            "node[1].reconnect_min_ms",
            "node[2].name",
            "node[2]",
            "node[2].user",
            "node[2].connect_timeout_ms",
            "node[3].password_file",
            "node[3].stale_after_s",
            "node[4].stale_after_s",
            "node[4].gone_after_s",
            "node[4].stale_after_s",
            "node[1].name",
            "log.level",
        ],
        "{error}"
    );
    assert!(error.lines().all(|line| line.starts_with("conf.toml: ")), "{error}");
    assert!(error.contains("missing: cannot be read"), "the password file is named: {error}");
    assert!(!error.contains("hunter2"), "{error}");
}

#[test]
fn the_graces_of_a_lost_node_may_be_one_and_the_first_may_be_none() {
    for (stale, gone) in [(0, 1), (5, 5), (86_400, 86_400)] {
        let config = accepted(&format!("{NODE}stale_after_s = {stale}\ngone_after_s = {gone}\n"), &[]);
        assert_eq!((config.node[0].stale_after_s, config.node[0].gone_after_s), (stale, gone));
    }
    let error = refusal(&format!("{NODE}gone_after_s = 9\n"), &[]);
    assert_eq!(error, "conf.toml: node[0].stale_after_s: 10 is more than gone_after_s, 9");
}

#[test]
fn a_request_must_outlast_a_command() {
    let error = refusal(&format!("{NODE}command_timeout_ms = 60000\n"), &[]);
    assert_eq!(
        error,
        "conf.toml: api.answer_timeout_ms: expected more than the command_timeout_ms of a node, 60000"
    );
}

#[test]
fn without_a_file_the_environment_is_checked_too() {
    let environment = Environment::from_variables([("CONVENED__API__MAX_CONNECTIONS", "0")]);
    let error = Config::built_in(&environment).unwrap_err().to_string();
    assert!(
        error.starts_with("CONVENED__API__MAX_CONNECTIONS: api.max_connections: expected 1 to"),
        "{error}"
    );
}

#[test]
fn a_password_file_lies_beside_the_configuration_and_is_read_each_time() {
    let case = Case::new("[[node]]\nname = \"fs1\"\npassword_file = \"pw\"\n");
    let password = case.directory.path().join("pw");
    std::fs::write(&password, "first \r\n").unwrap();
    let node = case.load(&[]).unwrap().node.remove(0);
    assert_eq!(node.read_password().unwrap().expose(), "first ", "only the line end is cut");
    std::fs::write(&password, "second").unwrap();
    assert_eq!(node.read_password().unwrap().expose(), "second");
    for (content, reason) in [
        (&b""[..], "is empty"),
        (b"\n", "is empty"),
        (b"a\nb\n", "more than one line"),
        (b"a\xff", "not UTF-8"),
        (&[b'x'; 5000], "longer than any password"),
    ] {
        std::fs::write(&password, content).unwrap();
        let error = case.load(&[]).unwrap_err().to_string();
        assert!(error.contains("node[0].password_file: ") && error.contains(reason), "{error}");
    }
}

#[test]
fn a_password_that_would_start_a_second_command_is_refused() {
    let error = refusal("[[node]]\nname = \"fs1\"\npassword = \"x\\n\\nevent plain all\"\n", &[]);
    assert!(error.starts_with("conf.toml: node[0].password: has a line break"), "{error}");
}

#[test]
fn debug_of_the_whole_configuration_shows_no_password() {
    let config = accepted(&NODE.replace("ClueCon", "hunter2"), &[]);
    let shown = format!("{config:?} {config:#?}");
    assert!(shown.contains("fs1") && !shown.contains("hunter2"), "{shown}");
}

#[test]
fn no_node_is_allowed_but_remarked_upon() {
    assert_eq!(accepted("", &[]).remarks().len(), 1);
    assert!(accepted(NODE, &[]).remarks().is_empty());
}

#[test]
fn a_credential_is_found_where_systemd_has_put_it_and_without_systemd_where_the_unit_takes_it_from() {
    let case = Case::new("[[node]]\nname = \"fs1\"\npassword_file = \"credential:fs1.password\"\n");
    let put = |directory: &str, name: &str, password: &str| {
        let directory = case.directory.path().join(directory);
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join(name), password).unwrap();
    };
    let password = |environment: &Environment| {
        let config = Config::load(&case.file(), environment).unwrap_or_else(|error| panic!("{error}"));
        config.node[0].read_password().unwrap().expose().to_owned()
    };
    put("credentials", "fs1.password", "beside");
    assert_eq!(password(&Environment::empty()), "beside");
    let systemd = Environment::empty().with_credentials(case.directory.path().join("run"));
    let error = Config::load(&case.file(), &systemd).unwrap_err().to_string();
    assert!(error.contains("node[0].password_file: ") && error.contains("run/fs1.password"), "{error}");
    put("run", "convened_fs1.password", "of the directory");
    assert_eq!(password(&systemd), "of the directory");
    put("run", "fs1.password", "of its own");
    assert_eq!(password(&systemd), "of its own");
}

#[test]
fn a_credential_does_not_lead_out_of_its_directory() {
    for name in ["", "../conf.toml", "a/b", ".hidden"] {
        let error =
            refusal(&format!("[[node]]\nname = \"fs1\"\npassword_file = \"credential:{name}\"\n"), &[]);
        assert!(error.contains("names no credential"), "{name}: {error}");
    }
}

#[test]
fn the_password_of_a_broker_may_be_in_a_file() {
    let case = Case::new("[amqp]\nurl = \"amqp://me@mq\"\npassword_file = \"mq\"\n");
    assert!(case.load(&[]).unwrap_err().to_string().contains("amqp.password_file: "));
    std::fs::write(case.directory.path().join("mq"), "hunter2\n").unwrap();
    let config = case.load(&[]).unwrap();
    let broker = config.amqp.broker().expect("right").expect("configured");
    assert!(!format!("{broker:?} {config:?}").contains("hunter2"));
}
