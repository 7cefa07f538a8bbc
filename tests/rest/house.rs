//! A daemon with a database and simulated switches, and people with tokens.

use std::time::Duration;

use convened::app::Daemon;
use convened::auth::{CredentialKind, Credentials, MonotonicClock, NewCredential, Scope, Secret};
use convened::config::{Config, Node};
use convened::registry::NodeCondition;
use convened::sim::switch::{Switch, SwitchOptions};
use convened::sim::world::{Caller, WorldOptions};
use convened::store::Clock;
use tokio::time::timeout;

use crate::client::{PATIENCE, Rest, look_again};

/// Whose conferences most of them are.
pub(crate) const ACCOUNT: &str = "9d351ad7ffd6f846313af9eed3bb7b85";
/// Somebody else.
pub(crate) const OTHER: &str = "b7e1c6a0d5f24a7f9a1de0c1b2a39485";

pub(crate) const ALL: [Scope; 3] = [Scope::Read, Scope::Control, Scope::Write];

pub(crate) struct House {
    pub(crate) daemon: Daemon,
    pub(crate) switches: Vec<Switch>,
    pub(crate) folder: tempfile::TempDir,
}

impl House {
    /// With one switch, which is followed.
    pub(crate) async fn start() -> Self {
        Self::with(1, |_| {}).await
    }

    /// With switches fs1, fs2, ... which are followed.
    pub(crate) async fn with(switches: usize, change: impl FnOnce(&mut Config)) -> Self {
        let mut started = Vec::new();
        for number in 1..=switches as u64 {
            started.push(switch(number).await);
        }
        let house = Self::beside(started, change).await;
        house.followed().await;
        house
    }

    /// Beside these switches, whatever they do.
    pub(crate) async fn beside(switches: Vec<Switch>, change: impl FnOnce(&mut Config)) -> Self {
        Self::by(MonotonicClock::system(), switches, change).await
    }

    /// Likewise; the clock tells how long wrong credentials count.
    pub(crate) async fn by(
        clock: MonotonicClock,
        switches: Vec<Switch>,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut config = Config::default();
        config.api.listen = vec![convened::config::Listen::Plain(([127, 0, 0, 1], 0).into())];
        config.database.url = format!("sqlite://{}", folder.path().join("convened.db").display());
        for (at, switch) in switches.iter().enumerate() {
            let password = Secret::new("ClueCon");
            let mut node = Node::new(format!("fs{}", at + 1), switch.addr().to_string(), password);
            node.reconnect_min_ms = 5;
            node.reconnect_max_ms = 50;
            config.node.push(node);
        }
        change(&mut config);
        let daemon = Daemon::start_by(&config, clock).await.expect("the daemon starts");
        Self { daemon, switches, folder }
    }

    /// Where its API is.
    pub(crate) fn address(&self) -> std::net::SocketAddr {
        self.daemon.address().expect("over TCP")
    }

    pub(crate) fn switch(&self) -> &Switch {
        &self.switches[0]
    }

    /// Until every node is listed and followed, and takes commands.
    pub(crate) async fn followed(&self) {
        let nodes = self.daemon.context().switchboard.nodes();
        for name in nodes.keys() {
            self.condition(name, NodeCondition::Followed).await;
        }
        self.told().await;
    }

    /// Until a node is known that far.
    pub(crate) async fn condition(&self, name: &str, wanted: NodeCondition) {
        let registry = &self.daemon.context().registry;
        let known = async {
            while registry.nodes().get(name) != Some(&wanted) {
                look_again().await;
            }
        };
        timeout(PATIENCE, known).await.unwrap_or_else(|_| panic!("{name} never became {wanted:?}"));
    }

    /// Until the daemon has seen all that happened on its switches before this call.
    pub(crate) async fn told(&self) {
        for node in self.daemon.context().switchboard.nodes().values() {
            let fence = async {
                while node.fence().await.is_err() {
                    look_again().await;
                }
            };
            timeout(PATIENCE, fence).await.expect("a fence comes by");
        }
    }

    /// Somebody joins a conference of [`ACCOUNT`]; the call id.
    pub(crate) async fn join(&self, room: &str, name: &str) -> String {
        self.enter(room, Caller::new(name, "15551234").variable("confvar_account_id", ACCOUNT)).await
    }

    /// Likewise, as moderator.
    pub(crate) async fn join_as_moderator(&self, room: &str, name: &str) -> String {
        let caller = Caller::new(name, "15559876").variable("confvar_account_id", ACCOUNT).moderator();
        self.enter(room, caller).await
    }

    /// A caller enters, and the daemon knows.
    pub(crate) async fn enter(&self, room: &str, caller: Caller) -> String {
        let call = self.switch().join(room, caller).expect("let in");
        self.told().await;
        call
    }

    /// A client with a token of its own.
    pub(crate) async fn client(&self, account: Option<&str>, scopes: &[Scope]) -> Rest {
        let token = self.secret(CredentialKind::Token, account, scopes, None).await;
        Rest::new(self.address(), account.unwrap_or(ACCOUNT), Some(&token))
    }

    /// A token or a key.
    pub(crate) async fn secret(
        &self,
        kind: CredentialKind,
        account: Option<&str>,
        scopes: &[Scope],
        lifetime: Option<u32>,
    ) -> String {
        let new = NewCredential {
            kind,
            name: "test".into(),
            account: account.map(|account| account.parse().expect("an account")),
            scopes: scopes.iter().copied().collect(),
            lifetime,
        };
        let credentials = Credentials::new(self.daemon.context().store.clone(), Clock::system());
        credentials.create(new).await.expect("a token").secret.expose().to_owned()
    }

    /// Who may do everything in [`ACCOUNT`].
    pub(crate) async fn owner(&self) -> Rest {
        self.client(Some(ACCOUNT), &ALL).await
    }

    /// Who may do everything in [`OTHER`].
    pub(crate) async fn stranger(&self) -> Rest {
        self.client(Some(OTHER), &ALL).await
    }

    /// Who may do everything everywhere.
    pub(crate) async fn superuser(&self) -> Rest {
        self.client(None, &ALL).await
    }

    /// The commands that a switch got and that change something.
    pub(crate) fn orders(&self, switch: usize) -> Vec<String> {
        let seen = self.switches[switch].commands().into_iter().map(|seen| seen.text.trim_end().to_owned());
        let quiet = ["auth ", "event ", "sendevent ", "api version", "api eval ", "exit"];
        let looks = |text: &str| text.contains("json_list") || text.ends_with(" play_status");
        seen.filter(|text| !quiet.iter().any(|start| text.starts_with(start)) && !looks(text)).collect()
    }
}

/// A switch with Member-IDs and a randomness of its own.
pub(crate) async fn switch(number: u64) -> Switch {
    let options = SwitchOptions::default();
    let world = WorldOptions { seed: number, ..options.world.clone() };
    Switch::start(SwitchOptions { world, ..options }).await.expect("a switch")
}

/// So short that a test can wait for it, and long enough for a busy machine.
pub(crate) const SHORT: Duration = Duration::from_millis(600);
