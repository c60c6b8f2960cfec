//! The policy of a call, as the contract states it.

use std::collections::HashMap;

/// Who may make a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anybody.
    Public,
    /// A client with both of its credentials.
    Client,
}

/// A call and its policy, the same over both protocols.
#[derive(Debug, PartialEq, Eq)]
pub struct Method {
    /// The service with its package: `kira.users.v1.UsersService`.
    pub service: &'static str,
    /// The call: `CreateUser`.
    pub name: &'static str,
    /// The path over gRPC: `/kira.users.v1.UsersService/CreateUser`.
    pub grpc_path: &'static str,
    /// The HTTP status of a success.
    pub success_code: u16,
    /// The HTTP status of a success that repeats an earlier one.
    pub replay_code: u16,
    /// The template of the `Location` of a success that repeats no earlier one, over the response's fields.
    pub location: Option<&'static str>,
    /// Who may call.
    pub access: Access,
    /// What the caller must be allowed to do.
    pub permission: Option<&'static str>,
    /// The seconds for which any cache may keep a success.
    pub max_age: Option<u32>,
    /// Whether the answer is a stream of records, which lasts as long as its caller wants. One of bytes has an end of its own.
    pub server_streaming: bool,
}

/// All calls, by their gRPC paths.
#[derive(Debug, Default)]
pub struct Methods(HashMap<&'static str, &'static Method>);

impl Methods {
    /// The calls of some services, each given by its `METHODS`.
    #[must_use]
    pub fn new(services: &[&[&'static Method]]) -> Self {
        Self(services.iter().copied().flatten().map(|method| (method.grpc_path, *method)).collect())
    }

    /// The call with the path of a gRPC request.
    #[must_use]
    pub fn find(&self, grpc_path: &str) -> Option<&'static Method> {
        self.0.get(grpc_path).copied()
    }
}
