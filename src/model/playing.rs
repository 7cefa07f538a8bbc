//! What a whole conference hears beside its people.

/// A file or stream that is played to everybody.
///
/// Of sound FreeSWITCH tells neither how far it is nor how long: both numbers in its answer are those of a
/// video, or of the pages of a document, and 0 for everything else (switch_module_interfaces.h,
/// `switch_file_handle`; set in mod_av and mod_imagick only).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Playing {
    /// The path as FreeSWITCH opened it; of a URL what is behind `://` (switch_core_file.c,
    /// `switch_core_perform_file_open`).
    pub media: String,
}
