/* The table of paths, and those of its handlers that have a file of their own. */
#ifndef GRADIENTD_HANDLERS_H
#define GRADIENTD_HANDLERS_H

#include "gradient_wire.h"
#include "http/routes.h"

extern const route_table api_routes;

extern const handler handler_gradients;
extern const handler handler_backprop;
extern const handler handler_check;
extern const handler handler_info;

/* What small pages are: a document of JSON, which ends without a line's end. The second is refused
 * while the daemon stops. */
outcome respond_document(request *r, const char *document);
outcome respond_if_ready(request *r, const char *document);

/* Of the Open Inference Protocol. Models are "dense", whose requests name their activation, and
 * "dense_relu" and its like. */
#define MODEL_PATH "/v2/models/" GRAD_INFERENCE_MODEL
bool model_knows(const char *activation);
/* The activation that the model has of which the path is, with static storage. NULL: none. */
const char *model_activation(const char *path);
extern const handler handler_inference;
extern const handler handler_v2_server, handler_v2_live, handler_v2_ready;
extern const handler handler_v2_model, handler_v2_model_ready, handler_v2_configuration;

#endif
