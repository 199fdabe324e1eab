/* The table of paths, and those of its handlers that have a file of their own. */
#ifndef GRADIENTD_HANDLERS_H
#define GRADIENTD_HANDLERS_H

#include "http/routes.h"

extern const route_table api_routes;

extern const handler handler_gradients;
extern const handler handler_backprop;
extern const handler handler_check;
extern const handler handler_info;

/* Of the Open Inference Protocol. */
extern const handler handler_inference;
extern const handler handler_v2_server, handler_v2_live, handler_v2_ready;
extern const handler handler_v2_model, handler_v2_model_ready, handler_v2_configuration;

#endif
