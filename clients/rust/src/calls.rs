//! What the client has to know of a call.

use crate::generated::kira::users::v1::CALLS;

/// A call of the contract.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    /// The path over gRPC.
    pub(crate) path: &'static str,
    /// Whether it needs no credentials.
    pub(crate) is_public: bool,
    /// Whether it changes nothing, or nothing more when it is repeated.
    pub(crate) is_repeatable: bool,
    /// Whether it answers with a stream.
    pub(crate) is_stream: bool,
    /// The number of the field that is the idempotency key of a request.
    pub(crate) key_field: Option<u32>,
}

impl Call {
    /// The call of a path. One that the contract does not have gets credentials and is not repeated.
    pub(crate) fn of(path: &str) -> Self {
        let unknown = Self { path: "", is_public: false, is_repeatable: false, is_stream: true, key_field: None };
        CALLS.iter().find(|call| call.path == path).copied().unwrap_or(unknown)
    }

    /// Whether a request may be sent again although it may have had its effect.
    pub(crate) fn repeats(&self) -> bool {
        self.is_repeatable || self.key_field.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_repeated_follows_from_the_contract() {
        for (call, repeats) in [
            ("UsersService/CreateUser", true),
            ("UsersService/GetUser", true),
            ("UsersService/ValidateUser", true),
            ("AuthService/CreateToken", true),
            ("WebhooksService/DeleteWebhookEndpoint", true),
            ("WebhooksService/SendTestWebhook", true),
        ] {
            assert_eq!(Call::of(&format!("/kira.users.v1.{call}")).repeats(), repeats, "{call}");
        }
        assert!(Call::of("/kira.users.v1.EventsService/WatchEvents").is_stream);
        assert!(!Call::of("/another.Service/Call").repeats());
    }
}
