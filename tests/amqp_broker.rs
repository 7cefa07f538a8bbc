//! Stories of events that are published to a real RabbitMQ.

#[path = "support/rest.rs"]
mod client;
#[path = "rest/house.rs"]
#[allow(dead_code, reason = "each test binary uses a part")]
mod house;
#[path = "amqp/listener.rs"]
mod listener;
#[path = "amqp/log.rs"]
mod log;
#[path = "amqp/outages.rs"]
mod outages;
#[path = "amqp/pauses.rs"]
mod pauses;
#[path = "support/rabbitmq.rs"]
mod rabbitmq;
#[path = "amqp/stories.rs"]
mod stories;
#[path = "amqp/trouble.rs"]
mod trouble;
#[path = "amqp/wire.rs"]
mod wire;
