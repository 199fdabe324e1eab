/* The document of a safetensors body: that of its metadata, with each tensor of its header put
 * where its name says. */
#ifndef GRAD_CODEC_JSON_SAFETENSORS_DOCUMENT_H
#define GRAD_CODEC_JSON_SAFETENSORS_DOCUMENT_H

#include "codec/json/scanner.h"
#include "codec/payload/safetensors.h"

/* Scans it to its end, and notes the place of each tensor in the header. "layers.0.input" becomes
 * the last member of the object layers[0], {"shape": …, "datatype": …, "binary_data_size": …}.
 * Offsets of the document are those of the body. Errors stay in scanner->error: those of a scanner;
 * GRAD_INVALID missing_field (no document), unknown_field (no object for a tensor); GRAD_MALFORMED
 * malformed_safetensors (no UTF-8). */
grad_status grad_safetensors_scan(grad_safetensors_header *header, grad_scanner *scanner);

#endif
