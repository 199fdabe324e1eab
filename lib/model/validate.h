/* Every question asked of a batch before anything is computed. After these, kernels trust. */
#ifndef GRAD_MODEL_VALIDATE_H
#define GRAD_MODEL_VALIDATE_H

#include "core/error.h"
#include "model/sizes.h"

/* Options of the whole batch; reads no layer. max_layers 0: no cap. */
grad_status grad_verify_options(const grad_batch *batch, size_t max_layers, grad_error *error);

/* Presence, ranks, shapes and parameters of all layers, of the network and its loss; reads no
 * element but a loss's. failed[i], where failed is not NULL (continue_on_error), is set for a wrong
 * independent layer; its error goes to errors[i], and the batch stays valid. */
grad_status grad_verify_shapes(const grad_batch *batch, bool *failed, grad_error *errors,
                               grad_error *error);

/* Under reject, that every element is finite. The shapes have been checked. failed, errors: as
 * above; a layer that has failed is passed over. */
grad_status grad_verify_elements(const grad_batch *batch, bool *failed, grad_error *errors,
                                 grad_error *error);

/* ---- Between the files of the checks --------------------------------------------------------- */

/* The layer being asked about. */
typedef struct grad_subject {
    const grad_batch *batch;
    size_t layer;
    const grad_layer_sizes *before; /* of the layer before it, in a network */
    grad_error *error;
} grad_subject;

/* One layer's own questions; *sizes are set where they are known. */
grad_status grad_verify_layer(const grad_subject *s, grad_layer_sizes *sizes);

/* A layer's tensors: presence and shapes. */
grad_status grad_verify_tensors(const grad_subject *s, grad_layer_sizes *sizes);

/* A network's loss, and what it starts from; sizes are those of its last layer. */
grad_status grad_verify_loss(const grad_batch *batch, const grad_layer_sizes *sizes,
                             grad_error *error);

/* ---- Errors ---------------------------------------------------------------------------------- */

/* Fills in an error about layers/<layer>/<member>, whose text is that path, the formatted text and
 * the layer's name where it has one. */
grad_status grad_fail_layer(grad_error *error, const grad_batch *batch, size_t layer,
                            const char *code, const char *member, const char *format, ...)
    __attribute__((format(printf, 6, 7)));

/* Element index of that tensor of that layer is not finite. member: "/input". */
grad_status grad_fail_element(grad_error *error, const grad_batch *batch, size_t layer,
                              const char *member, const grad_tensor *tensor, size_t index);

/* The same of an output, by its name without the slash. */
grad_status grad_fail_output(grad_error *error, const grad_batch *batch, size_t layer,
                             const char *name, const grad_tensor *tensor, size_t index);

/* Where a slot stands in a layer: "/weight", "/activation/slope". Static storage. */
const char *grad_slot_member(grad_slot slot);

/* The shape of a tensor as people read it: "[2, 3]". */
grad_pointer_text grad_shape_text(const grad_tensor *tensor);

/* Whether the axes of a tensor in front of its last one are these. */
bool grad_has_sample_axes(const grad_tensor *tensor, const grad_sample_axes *axes);

/* Where element index of a tensor at pointer stands: "/loss/target/2/7". */
grad_pointer_text grad_element_pointer(const char *pointer, const grad_tensor *tensor,
                                       size_t index);

/* Element index of a tensor at pointer ("/loss/target") is not finite. */
grad_status grad_fail_number(grad_error *error, const char *pointer, grad_datatype type,
                             const grad_tensor *tensor, size_t index);

#endif
