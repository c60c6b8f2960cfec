//! Sending files: opened as they are read.

use std::ops::Range;

use bytes::Bytes;
use futures_util::stream;
use kira_gateway::rest::{FileInfo, requested_range};
use tonic::metadata::MetadataValue;
use tonic::{Response, Status};
use tracing::Span;
use uuid::Uuid;

use super::{Documents, extension, locate};
use crate::contract::v1;
use crate::contract::v1::documents_service_server::DocumentsService;
use crate::service::failure::{corrupt, of_file, of_store};
use crate::service::request::checked_id;
use crate::service::users::open_profile;
use crate::vault::documents::DocumentError;
use crate::vault::{AeadContext, FileError, FileReader};

/// How often a file is opened that is replaced meanwhile.
const ROUNDS: usize = 8;

type Messages = <Documents as DocumentsService>::DownloadDocumentStream;

/// A file whose first bytes are open.
struct Opened {
    document: v1::StoredDocument,
    media_type: v1::MediaType,
    size: u64,
    part: Option<Range<u64>>,
    first: Option<Bytes>,
    reader: FileReader,
}

impl Documents {
    /// Sends the file of a document, or the part that the request asks for.
    ///
    /// # Errors
    /// NOT_FOUND, RANGE_NOT_SATISFIABLE, INTERNAL for a file that is not as it was stored, UNAVAILABLE.
    pub(super) async fn download(
        &self,
        client_id: Uuid,
        request: v1::DownloadDocumentRequest,
    ) -> Result<Response<Messages>, Status> {
        let (user_id, id) = (checked_id(request.user_id.as_ref())?, checked_id(request.document_id.as_ref())?);
        let Opened { document, media_type, size, part, first, reader } = self.open_current(client_id, &request).await?;
        let tag = tag(&document);
        let sent = part.clone().unwrap_or(0..size);
        let number = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        let described = v1::DocumentPart {
            document: Some(document),
            offset: number(sent.start),
            length: number(sent.end - sent.start),
        };
        let content = first.unwrap_or_default();
        let head = v1::DownloadDocumentResponse { content, part: Some(described) };
        let mut response = Response::new(messages(head, reader, (user_id, id)));
        if let Ok(tag) = MetadataValue::try_from(tag) {
            response.metadata_mut().insert("etag", tag);
        }
        let file_name = format!("{id}.{}", extension(media_type));
        response.extensions_mut().insert(FileInfo { media_type: media_type.json_name(), file_name, size, part });
        Ok(response)
    }

    /// Opens the file that the document has now: it may be replaced or removed between the reads.
    async fn open_current(&self, client_id: Uuid, request: &v1::DownloadDocumentRequest) -> Result<Opened, Status> {
        for _ in 0..ROUNDS {
            if let Some(opened) = self.open(client_id, request).await? {
                return Ok(opened);
            }
        }
        Err(corrupt("a document without its file"))
    }

    /// Opens the first bytes, so that a file that is damaged there is an error and no answer. None: the file is gone, or is
    /// another by now.
    async fn open(&self, client_id: Uuid, request: &v1::DownloadDocumentRequest) -> Result<Option<Opened>, Status> {
        let (user_id, id) = (checked_id(request.user_id.as_ref())?, checked_id(request.document_id.as_ref())?);
        let mut row = self.users.find_row(client_id, user_id).await?;
        let (data_key, profile) = open_profile(&self.users.vault, &mut row)?;
        let found = locate(&profile, id)?;
        let (document, media_type) = (found.shown(), found.document.media_type());
        let size = u64::from(document.size);
        let (range, if_range) = (request.range.as_deref(), request.if_range.as_deref());
        let part = requested_range(range, if_range, &tag(&document), size)?;
        let key = self.users.store.find_object_key(client_id, user_id, id).await.map_err(of_store)?;
        let Some(key) = key else { return Ok(None) };
        let place = AeadContext::DocumentContent { id, uploaded_at: found.uploaded_at };
        let sent = part.clone().unwrap_or(0..size);
        let open = async || {
            let mut reader =
                FileReader::open(&self.users.documents, &key, (&data_key, &place), size, sent.clone()).await?;
            let first = reader.next().await?;
            Ok((first, reader))
        };
        match open().await {
            Ok((first, reader)) => Ok(Some(Opened { document, media_type, size, part, first, reader })),
            Err(FileError::Store(DocumentError::Missing)) => Ok(None),
            Err(_) if self.users.find_row(client_id, user_id).await?.version != row.version => Ok(None),
            Err(error) => Err(failed(error, user_id, id)),
        }
    }
}

/// The entity tag of the bytes.
fn tag(document: &v1::StoredDocument) -> String {
    format!("\"{}\"", document.sha256)
}

/// The messages: the first, and then those of the reader, each when the one before is taken.
fn messages(head: v1::DownloadDocumentResponse, reader: FileReader, (user_id, id): (Uuid, Uuid)) -> Messages {
    let span = Span::current();
    let state = (Some(head), reader, span);
    Box::pin(stream::try_unfold(state, move |(head, mut reader, span)| async move {
        if let Some(head) = head {
            return Ok(Some((head, (None, reader, span))));
        }
        match reader.next().await {
            Ok(None) => Ok(None),
            Ok(Some(content)) => {
                let message = v1::DownloadDocumentResponse { content, part: None };
                Ok(Some((message, (None, reader, span))))
            }
            Err(error) => Err(span.in_scope(|| failed(error, user_id, id))),
        }
    }))
}

/// The error of a file that cannot be read; the log has its id.
fn failed(error: FileError, user_id: Uuid, id: Uuid) -> Status {
    tracing::error!(document = %id, user = %user_id, "a document cannot be read");
    of_file(error)
}
