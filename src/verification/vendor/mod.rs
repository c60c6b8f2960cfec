//! An outside provider over HTTP: a signed request, a signed callback, and polling where no callback comes.
//!
//! Requests are signed as the callbacks are (see [`crate::signing`]), with the attempt's id as the message's id: a request
//! that is repeated after a crash names the same attempt, and the provider answers as it did.

mod findings;
mod message;
mod paths;

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use kira_gateway::json::to_vec_whole;
use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode, Url};
use serde_json::value::RawValue;
use tracing::{Instrument as _, field};
use uuid::Uuid;

use self::message::{BodyWriter, VendorReport, VerifyRequest};
use super::case::Case;
use super::memory::MIB;
use super::provider::{Progress, Provider, ProviderError, ProviderResponse};
use crate::contract::v1;
use crate::domain::verification::Outcome;
use crate::profile::{self, Profile};
use crate::signing::{self, SigningSecret};
use crate::telemetry;

/// The name that is kept with attempts.
pub const NAME: &str = "http";

/// Time to reach the provider.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The most bytes of files that a request carries unless someone says otherwise: in base64, a third more.
pub const MAX_FILE_BYTES: u64 = 128 * MIB;
/// Time to read the files of a case.
const LOADING: Duration = Duration::from_secs(60);
/// An answer says a status and some reasons.
const MAX_ANSWER: usize = 1024 * 1024;
/// Where the provider does not say when to ask again; a callback usually comes earlier.
const POLL_AFTER: Duration = Duration::from_secs(60);
/// The provider may not have itself asked more often than that, nor later.
const POLL_BOUNDS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(3_600));

/// Where the provider is, and what is agreed with it.
#[derive(Clone, Debug)]
pub struct VendorOptions {
    /// Takes requests by POST, and below it polls by GET.
    pub url: Url,
    /// Signs requests and callbacks.
    pub secret: SigningSecret,
    /// How long one answer may take.
    pub timeout: Duration,
    /// The most bytes of files that a request carries; a case with more goes to a person.
    pub max_file_bytes: u64,
}

/// The provider `http`.
pub struct Vendor {
    http: reqwest::Client,
    options: VendorOptions,
}

/// A result that the provider reports by itself.
#[derive(Debug)]
pub struct Callback {
    /// The attempt that it is about.
    pub attempt_id: Uuid,
    /// The outcome; none while the provider is processing the case.
    pub outcome: Option<Outcome>,
    /// What the provider calls the attempt.
    pub reference: Option<String>,
}

impl Callback {
    /// Reads the payload of a callback; none where it is not one.
    #[must_use]
    pub fn read(payload: &[u8]) -> Option<Self> {
        let report = VendorReport::read(payload)?;
        Some(Self { attempt_id: report.attempt_id?, outcome: report.outcome(), reference: report.reference() })
    }
}

impl Vendor {
    /// Makes no connection yet: a provider that is down must not keep the service from starting.
    ///
    /// # Errors
    /// The means to make requests cannot be had: commonly, the machine has no certificate authorities.
    pub fn new(options: VendorOptions) -> Result<Self, reqwest::Error> {
        // Every caller in the process installs the same crypto provider; the first one succeeds.
        drop(rustls::crypto::ring::default_provider().install_default());
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(options.timeout)
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Self { http, options })
    }

    /// None: the provider is asked by GET, and does not know the case.
    async fn ask(
        &self,
        case: &Case,
        method: Method,
        url: Url,
        body: Vec<u8>,
    ) -> Result<Option<ProviderResponse>, ProviderError> {
        let id = case.attempt_id.to_string();
        let asked_again = method == Method::GET;
        let span = tracing::info_span!(
            "provider",
            otel.kind = "client",
            http.request.method = method.as_str(),
            server.address = url.host_str(),
            http.response.status_code = field::Empty,
        );
        let mut headers = HeaderMap::new();
        span.in_scope(|| telemetry::inject(&mut headers));
        let request = self
            .http
            .request(method, url)
            .headers(headers)
            .header(signing::ID, &id)
            .header(signing::TIMESTAMP, case.now.timestamp())
            .header(signing::SIGNATURE, self.options.secret.sign(&id, case.now, &body))
            .header("idempotency-key", &id)
            .header("content-type", "application/json")
            .body(body);
        let sending = request.send().instrument(span.clone());
        let response = sending.await.map_err(|error| unreachable_provider(&error))?;
        let status = response.status();
        span.record("http.response.status_code", status.as_u16());
        let answer = read(response).await?;
        if matches!(status, StatusCode::NOT_FOUND | StatusCode::GONE) && asked_again {
            return Ok(None);
        }
        if !status.is_success() {
            tracing::warn!(%status, attempt = %case.attempt_id, "the provider refuses a request");
            return Err(refusal(status));
        }
        let Some(report) = VendorReport::read(&answer) else {
            tracing::warn!(attempt = %case.attempt_id, "the provider's answer is not understood");
            return Err(ProviderError::NotUnderstood);
        };
        if report.attempt_id.is_some_and(|id| id != case.attempt_id) {
            tracing::error!(attempt = %case.attempt_id, "the provider's answer is about another attempt");
            return Err(ProviderError::NotUnderstood);
        }
        let progress = match report.outcome() {
            Some(outcome) => Progress::Decided(outcome),
            None => {
                let asked = report.poll_after.map_or(POLL_AFTER, |seconds| Duration::from_secs(seconds.into()));
                Progress::Pending { poll_after: asked.clamp(POLL_BOUNDS.0, POLL_BOUNDS.1) }
            }
        };
        // The attempt's own id is name enough where the provider gives none; a case with a name is polled.
        let reference = report.reference().unwrap_or(id);
        Ok(Some(ProviderResponse { progress, reference: Some(reference), raw: Some(answer.to_vec()) }))
    }

    /// Polls the progress of a case. None: the provider does not know it.
    async fn poll(&self, case: &Case, reference: &str) -> Result<Option<ProviderResponse>, ProviderError> {
        let mut url = self.options.url.clone();
        // Only a URL without a host cannot have segments, and the configuration takes none of those.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push(reference);
        }
        self.ask(case, Method::GET, url, Vec::new()).await
    }
}

#[tonic::async_trait]
impl Provider for Vendor {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn verify(&self, case: &Case) -> Result<ProviderResponse, ProviderError> {
        if let Some(reference) = &case.reference {
            if let Some(answer) = self.poll(case, reference).await? {
                return Ok(answer);
            }
            tracing::warn!(attempt = %case.attempt_id, "the provider does not know the case any more; it is submitted again");
        }
        if case.file_bytes() > self.options.max_file_bytes {
            return Err(ProviderError::TooLarge);
        }
        let answer = self.ask(case, Method::POST, self.options.url.clone(), request(case).await?).await?;
        answer.ok_or(ProviderError::Unavailable)
    }

    /// A case that the provider has forgotten is asked about twice.
    fn budget(&self) -> Duration {
        self.options.timeout * 2 + LOADING
    }

    /// The body, in base64, and one file besides.
    fn memory(&self, case: &Case) -> u64 {
        let all = case.file_bytes();
        if all > self.options.max_file_bytes { 0 } else { all / 3 * 4 + case.file_sizes().max().unwrap_or_default() }
    }
}

/// The request's body: the user and the files. Each file is written into it as soon as it is read, and dropped.
async fn request(case: &Case) -> Result<Vec<u8>, ProviderError> {
    let (kind, user) = match &case.profile {
        Profile::Individual(individual) => (v1::UserType::Individual, to_vec_whole(individual)),
        Profile::Business(business) => (v1::UserType::Business, to_vec_whole(business)),
    };
    // What the codec writes is JSON.
    let user = String::from_utf8(user).ok().and_then(|text| RawValue::from_string(text).ok());
    let user = user.ok_or(ProviderError::Refused)?;
    let head = VerifyRequest { attempt_id: case.attempt_id, r#type: kind.json_name(), user: &user };
    let documents = profile::documents(&case.profile);
    let content: u64 = case.file_sizes().map(|size| size.div_ceil(3) * 4 + 256).sum();
    let mut body = BodyWriter::new(&head, usize::try_from(content).unwrap_or_default());
    for document in documents {
        let content = case.content(document).await?;
        body.file(&document.id, document.media_type().json_name(), &content);
    }
    Ok(body.finish())
}

/// The answer's body, up to the limit.
async fn read(mut response: reqwest::Response) -> Result<Bytes, ProviderError> {
    let mut answer = BytesMut::new();
    while let Some(piece) = response.chunk().await.map_err(|error| unreachable_provider(&error))? {
        if answer.len() + piece.len() > MAX_ANSWER {
            tracing::warn!("the provider's answer is too long");
            return Err(ProviderError::NotUnderstood);
        }
        answer.extend_from_slice(&piece);
    }
    Ok(answer.freeze())
}

/// The error says nothing of the URL, which may hold a key.
fn unreachable_provider(error: &reqwest::Error) -> ProviderError {
    if error.is_timeout() { ProviderError::Timeout } else { ProviderError::Unavailable }
}

fn refusal(status: StatusCode) -> ProviderError {
    match status {
        StatusCode::REQUEST_TIMEOUT | StatusCode::GATEWAY_TIMEOUT => ProviderError::Timeout,
        // Our credentials or our address are wrong: that is no user's fault, and will be mended.
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND | StatusCode::TOO_MANY_REQUESTS => {
            ProviderError::Unavailable
        }
        status if status.is_client_error() => ProviderError::Refused,
        _ => ProviderError::Unavailable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_leaves_room_for_the_longest_timeout() {
        let options = VendorOptions {
            url: "https://vendor.example/verify".parse().expect("a URL"),
            secret: SigningSecret::parse("a secret of twenty-four bytes").expect("a secret"),
            timeout: Duration::from_secs(120),
            max_file_bytes: MAX_FILE_BYTES,
        };
        let vendor = Vendor::new(options).expect("a client");
        assert!(vendor.budget() >= Duration::from_secs(240));
    }
}
