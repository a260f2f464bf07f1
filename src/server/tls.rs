//! Certificates: made, loaded, swapped while serving.
