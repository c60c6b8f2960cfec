//! What protects the listeners: TLS, limits, rates, and whose pages may call.

mod bytes_in_flight;
mod cors;
mod files;
mod frames;
mod health;
mod keep_alive;
mod mutual;
mod overload;
mod rates;
mod slow_bodies;
mod tls;
mod unauthenticated;
