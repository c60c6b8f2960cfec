//! The service: it stores what it is given and gives it back.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};

use kira_gateway::error::{ErrorReason, details, invalid_request, status};
use kira_gateway::problem::Problems;
use kira_gateway::{Alone, Late, LateRead, Unrecognized};
use tokio_stream::{Stream, StreamExt};
use tonic::{Request, Response, Status, Streaming};

use crate::v1::library_service_server::LibraryService;
use crate::v1::{
    Book, BorrowBookRequest, CreateBookRequest, CreateBookResponse, CreateShelfRequest, CreateShelfResponse,
    DeleteBookRequest, FindBooksRequest, FindBooksResponse, GetBookRequest, GetFileRequest, GetFileResponse,
    GetShelfRequest, ListBooksRequest, ListBooksResponse, ListShelvesResponse, RenewCardRequest, RenewCardResponse,
    RevalueBookRequest, RevalueBookResponse, Shelf, StampCardRequest, StampCardResponse, StockShelfRequest,
    StockShelfResponse, UpdateBookRequest, UploadPagesRequest, UploadPagesResponse, WatchBooksRequest,
    WatchBooksResponse, book,
};

/// A library in memory.
#[derive(Debug, Default)]
pub struct Library {
    shelves: Mutex<BTreeMap<String, Shelf>>,
    books: Mutex<BTreeMap<String, Book>>,
}

impl Library {
    fn shelves(&self) -> MutexGuard<'_, BTreeMap<String, Shelf>> {
        self.shelves.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn books(&self) -> MutexGuard<'_, BTreeMap<String, Book>> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn book(&self, name: &str) -> Result<Book, Status> {
        self.books().get(name).cloned().ok_or_else(|| status(ErrorReason::NotFound, "Book not found"))
    }
}

#[tonic::async_trait]
impl LibraryService for Library {
    type WatchBooksStream = Pin<Box<dyn Stream<Item = Result<WatchBooksResponse, Status>> + Send>>;

    async fn create_shelf(
        &self,
        request: Request<CreateShelfRequest>,
    ) -> Result<Response<CreateShelfResponse>, Status> {
        let CreateShelfRequest { request_id, theme } = request.into_inner();
        let id = request_id.unwrap_or_else(|| "new".to_owned());
        let mut shelves = self.shelves();
        let replayed = shelves.contains_key(&id);
        let shelf = shelves.entry(id.clone()).or_insert(Shelf { id, theme: theme.unwrap_or_default() }).clone();
        let mut response = Response::new(CreateShelfResponse { shelf: Some(shelf) });
        if replayed {
            response.metadata_mut().insert("idempotent-replayed", tonic::metadata::MetadataValue::from_static("true"));
        }
        Ok(response)
    }

    async fn get_shelf(&self, request: Request<GetShelfRequest>) -> Result<Response<Shelf>, Status> {
        let found = self.shelves().get(&request.get_ref().id).cloned();
        found.map(Response::new).ok_or_else(|| status(ErrorReason::NotFound, "Shelf not found"))
    }

    async fn list_top_shelves(&self, _: Request<()>) -> Result<Response<ListShelvesResponse>, Status> {
        Ok(Response::new(ListShelvesResponse { shelves: self.shelves().values().cloned().collect() }))
    }

    async fn list_books(&self, request: Request<ListBooksRequest>) -> Result<Response<ListBooksResponse>, Status> {
        let asked = request.into_inner();
        let books = self.books();
        let wanted = books.iter().filter(|(name, _)| name.starts_with(&asked.parent));
        let books = wanted.map(|(_, book)| book.clone()).collect();
        Ok(Response::new(ListBooksResponse { asked: Some(asked), books }))
    }

    async fn create_book(&self, request: Request<CreateBookRequest>) -> Result<Response<CreateBookResponse>, Status> {
        let CreateBookRequest { parent, book, dry_run } = request.into_inner();
        let mut book = book.unwrap_or_default();
        book.name = format!("{parent}/books/{}", book.isbn.as_deref().unwrap_or("none"));
        if dry_run != Some(true) {
            self.books().insert(book.name.clone(), book.clone());
        }
        Ok(Response::new(CreateBookResponse { book: Some(book) }))
    }

    async fn get_book(&self, request: Request<GetBookRequest>) -> Result<Response<Book>, Status> {
        self.book(&request.get_ref().name).map(Response::new)
    }

    async fn update_book(&self, request: Request<UpdateBookRequest>) -> Result<Response<Book>, Status> {
        let book = request.into_inner().book.unwrap_or_default();
        self.book(&book.name)?;
        self.books().insert(book.name.clone(), book.clone());
        Ok(Response::new(book))
    }

    async fn revalue_book(
        &self,
        mut request: Request<RevalueBookRequest>,
    ) -> Result<Response<RevalueBookResponse>, Status> {
        let late = Late::of(&mut request);
        let message = request.into_inner();
        let (edition, read) = match self.book(&message.name)?.edition {
            Some(book::Edition::Digital(_)) => ("digital", late.read::<RevalueBookRequest>("digital").await?),
            _ => ("paper", late.read::<RevalueBookRequest>("paper").await?),
        };
        let read =
            read.unwrap_or(LateRead { message, problems: Problems::default(), unrecognized: Unrecognized::default() });
        if !read.problems.is_empty() {
            return Err(invalid_request(read.problems));
        }
        let told = format!("{edition}: {:?}", read.message.edition);
        let mut response = Response::new(RevalueBookResponse { told });
        response.extensions_mut().insert(read.unrecognized);
        Ok(response)
    }

    async fn stock_shelf(
        &self,
        mut request: Request<StockShelfRequest>,
    ) -> Result<Response<StockShelfResponse>, Status> {
        let mut alone = Alone::of(&mut request);
        let told = |(index, book): (usize, Book)| match alone.refusal(index) {
            None => book.title.unwrap_or_default(),
            Some(refusal) => {
                let violations = details(&refusal).map(|details| details.violations).unwrap_or_default();
                let texts = violations.into_iter().map(|problem| format!("{}={}", problem.field, problem.reason));
                texts.collect::<Vec<_>>().join(" ")
            }
        };
        let told = request.into_inner().books.into_iter().enumerate().map(told).collect();
        Ok(Response::new(StockShelfResponse { told }))
    }

    async fn delete_book(&self, request: Request<DeleteBookRequest>) -> Result<Response<()>, Status> {
        self.book(&request.get_ref().name)?;
        self.books().remove(&request.get_ref().name);
        Ok(Response::new(()))
    }

    async fn borrow_book(&self, request: Request<BorrowBookRequest>) -> Result<Response<()>, Status> {
        let BorrowBookRequest { name, reader, card } = request.into_inner();
        let mut book = self.book(&name)?;
        book.borrowed_by = format!("{}{card}", reader.unwrap_or_default());
        self.books().insert(name, book);
        Ok(Response::new(()))
    }

    async fn find_books(&self, request: Request<FindBooksRequest>) -> Result<Response<FindBooksResponse>, Status> {
        Ok(Response::new(FindBooksResponse { asked: Some(request.into_inner()) }))
    }

    async fn renew_card(&self, request: Request<RenewCardRequest>) -> Result<Response<RenewCardResponse>, Status> {
        let RenewCardRequest { card, terms } = request.into_inner();
        Ok(Response::new(RenewCardResponse { card, terms }))
    }

    async fn get_file(&self, request: Request<GetFileRequest>) -> Result<Response<GetFileResponse>, Status> {
        Ok(Response::new(GetFileResponse { path: request.into_inner().path }))
    }

    async fn stamp_card(&self, request: Request<StampCardRequest>) -> Result<Response<StampCardResponse>, Status> {
        let StampCardRequest { card, payload } = request.into_inner();
        let bytes: String = payload.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Response::new(StampCardResponse { stamp: format!("{card} {bytes}") }))
    }

    async fn watch_books(
        &self,
        request: Request<WatchBooksRequest>,
    ) -> Result<Response<Self::WatchBooksStream>, Status> {
        let WatchBooksRequest { parent, fail_after } = request.into_inner();
        let books: Vec<Book> = self.books().values().filter(|book| book.name.starts_with(&parent)).cloned().collect();
        let mut items: Vec<_> = books.into_iter().map(|book| Ok(WatchBooksResponse { book: Some(book) })).collect();
        if let Some(count) = fail_after {
            items.truncate(usize::try_from(count).unwrap_or(usize::MAX));
            items.push(Err(status(ErrorReason::Unavailable, "The shelf is being dusted")));
        }
        Ok(Response::new(Box::pin(tokio_stream::iter(items))))
    }

    async fn upload_pages(
        &self,
        request: Request<Streaming<UploadPagesRequest>>,
    ) -> Result<Response<UploadPagesResponse>, Status> {
        let mut stream = request.into_inner();
        let mut pages = 0;
        while let Some(page) = stream.next().await {
            page?;
            pages += 1;
        }
        Ok(Response::new(UploadPagesResponse { pages }))
    }
}
