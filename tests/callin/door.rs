//! A daemon that lets callers in, and what they do.

use std::sync::Arc;

use convened::config::Config;
use convened::model::{Notice, NoticeKind};
use convened::sim::switch::Switch;
use convened::sim::world::Caller;
use serde_json::{Value, json};
use tokio::sync::broadcast::Receiver;
use tokio::time::timeout;

use crate::client::{PATIENCE, Rest, look_again};
use crate::house::{ACCOUNT, House};

/// The number of the conference of most stories.
pub(crate) const NUMBER: &str = "5551234";

/// Waits for something that must come.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("{what}: it never came"))
}

/// Prompts that take no time, each another one, so that a test sees which was played.
fn prompts(config: &mut Config) {
    let prompts = &mut config.prompts;
    for (prompt, name) in [
        (&mut prompts.welcome, "welcome"),
        (&mut prompts.enter_number, "enter_number"),
        (&mut prompts.enter_pin, "enter_pin"),
        (&mut prompts.bad_number, "bad_number"),
        (&mut prompts.bad_pin, "bad_pin"),
        (&mut prompts.too_many_attempts, "too_many_attempts"),
        (&mut prompts.full, "full"),
        (&mut prompts.locked, "locked"),
        (&mut prompts.locked_out, "locked_out"),
        (&mut prompts.banned, "banned"),
        (&mut prompts.unavailable, "unavailable"),
        (&mut prompts.say_name, "say_name"),
    ] {
        *prompt = format!("tone_stream://%(1,0,100);name={name}");
    }
}

pub(crate) struct Door {
    pub(crate) house: House,
    pub(crate) owner: Rest,
    notices: Receiver<Arc<Notice>>,
}

impl Door {
    pub(crate) async fn open() -> Self {
        Self::with(1, |_| {}).await
    }

    pub(crate) async fn with(switches: usize, change: impl FnOnce(&mut Config)) -> Self {
        let house = House::with(switches, |config| {
            config.callin.enabled = true;
            config.callin.answer_timeout_ms = 1_000;
            config.callin.digit_timeout_ms = 1_000;
            prompts(config);
            change(config);
        })
        .await;
        Self::of(house).await
    }

    pub(crate) async fn of(house: House) -> Self {
        for switch in &house.switches {
            soon("a call connection", switch.until_listeners(2)).await;
        }
        let notices = house.daemon.hub().listen_to_notices();
        let owner = house.owner().await;
        Self { house, owner, notices }
    }

    pub(crate) fn switch(&self) -> &Switch {
        self.house.switch()
    }

    /// A document with these keys, and the number for everybody.
    pub(crate) async fn conference(&self, mut data: Value) -> String {
        if !data.to_string().contains("numbers") {
            data["conference_numbers"] = json!([NUMBER]);
        }
        self.owner.create(data).await
    }

    /// Somebody calls the number.
    pub(crate) fn call(&self, name: &str) -> String {
        self.dial(caller(name))
    }

    pub(crate) fn dial(&self, caller: Caller) -> String {
        self.switch().park(caller).expect("a call")
    }

    /// The caller is asked, the how many-eth time, and types.
    pub(crate) async fn types(&self, call: &str, nth: usize, keys: &str) {
        soon(&format!("question {nth}"), self.switch().until_asked(call, nth)).await;
        self.switch().press(call, keys).expect("he is on the line");
    }

    /// The call is over.
    pub(crate) async fn gone(&self, call: &str) {
        soon("the end of the call", self.switch().until_gone(call)).await;
    }

    /// The participants, once there are so many.
    pub(crate) async fn people(&self, conference: &str, count: usize) -> Vec<Value> {
        let path = format!("conferences/{conference}/participants");
        let answer = self.owner.until(&path, |answer| {
            answer.status == 200 && answer.data().as_array().is_some_and(|people| people.len() == count)
        });
        answer.await.ok().as_array().cloned().unwrap_or_default()
    }

    /// Somebody of that name, once he is as wanted.
    pub(crate) async fn person(
        &self,
        conference: &str,
        name: &str,
        wanted: impl Fn(&Value) -> bool,
    ) -> Value {
        let path = format!("conferences/{conference}/participants");
        let find = |data: &Value| {
            let people = data.as_array()?.iter();
            people.clone().find(|one| one["caller_id_name"] == name && wanted(one)).cloned()
        };
        let answer =
            self.owner.until(&path, |answer| answer.status == 200 && find(&answer.data()).is_some()).await;
        find(&answer.ok()).unwrap()
    }

    /// Who was not let in, and why: the next one.
    pub(crate) async fn rejected(&mut self) -> (&'static str, Arc<Notice>) {
        loop {
            let notice = soon("a notice", self.notices.recv()).await.expect("the hub is there");
            if let NoticeKind::Rejected { reason, .. } = &notice.kind {
                return (reason, notice);
            }
        }
    }

    /// The prompts that a call has heard, in order.
    pub(crate) fn heard(&self, call: &str) -> Vec<String> {
        let seen = self.switch().commands();
        let sent = seen.iter().filter(|seen| seen.text.starts_with(&format!("sendmsg {call}\n")));
        let names = sent.flat_map(|seen| {
            let parts = seen.text.split(";name=").skip(1);
            parts.map(|part| part.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect())
        });
        names.collect()
    }

    /// Nobody is in a dialogue any more.
    pub(crate) async fn quiet(&self) {
        soon("the end of all dialogues", async {
            while self.callin().dialogues() > 0 {
                look_again().await;
            }
        })
        .await;
    }

    pub(crate) fn callin(&self) -> &convened::callin::CallIn {
        self.house.daemon.callin().expect("it lets callers in")
    }
}

/// Somebody who dials the number, as the shipped dialplan parks him.
pub(crate) fn caller(name: &str) -> Caller {
    Caller::new(name, "15551230000")
        .dialling(NUMBER)
        .variable("convened_callin", "true")
        .variable("account_id", ACCOUNT)
}
