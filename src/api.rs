//! The REST surface on hyper: listener, router, request, response, error; a file per resource.
