//! The one façade between the app and its shells: questions, answers, news and codes.

pub use contract;
