//! What a bus asks its runtime to do.

use message::{Domain, Message, Response};

use crate::entry::Ticket;
use crate::port::{Party, PortId};

/// Everything a bus can ask for.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Hand the message to the port.
    ///
    /// The id of a request is the bus's own; an answer must carry it.
    Deliver {
        /// To whom.
        port: PortId,
        /// What.
        message: Message,
        /// The domain whose stub brought it, if it came from outside.
        via: Option<Domain>,
    },
    /// Judge the message, then tell [`crate::Bus::verdict`].
    Judge {
        /// Names the question.
        ticket: Ticket,
        /// The message with its stamped `from`; an answer already has the ends of its request.
        message: Message,
        /// Who sends it.
        from: Party,
        /// Who would get it; at least one.
        to: Vec<Party>,
        /// Of an answer: what was asked. `None` for requests and events.
        answers: Option<message::MessageType>,
    },
    /// Fetch and connect the stub of a domain, then tell [`crate::Bus::route_ready`]
    /// or [`crate::Bus::route_failed`]. Said once while messages wait.
    NeedRoute {
        /// Which domain.
        domain: Domain,
    },
    /// A message without a return path (an event) went nowhere, or a port
    /// posted what it may not; nobody but the runtime hears of it.
    Refused {
        /// Who had posted it.
        port: PortId,
        /// What.
        message: Message,
        /// Why.
        response: Response,
    },
}
