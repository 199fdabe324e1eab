/* The loss of a network: its name decides which parameters and tensors it has. */
#include "codec/document/enum_names.h"
#include "codec/document/request.h"

static grad_status find_loss(grad_reader *reader, const grad_path *path, const json_t *value,
                             const grad_loss_info **info)
{
    grad_known_name known[GRAD_LOSS_COUNT];
    size_t count = 0;

    if (!json_is_string(value))
        return grad_decode_fail_scalar(reader, path, "the name of a loss", value);
    *info = grad_loss_find(json_string_value(value));
    if (*info != NULL)
        return GRAD_OK;
    for (size_t i = GRAD_LOSS_ABSENT + 1; i < GRAD_LOSS_COUNT; i++) {
        const grad_loss_info *row = grad_loss_info_of((grad_loss_kind)i);

        known[count++] = (grad_known_name){row->name, row->synonyms};
    }
    return grad_decode_unknown_word(reader, path, GRAD_WORDS_OF_LOSSES, "loss",
                                    json_string_value(value), known, count);
}

static grad_status read_reduction(grad_reader *reader, const grad_path *path, const json_t *value,
                                  void *target)
{
    size_t index = GRAD_LOSS_MEAN;
    grad_status status = grad_decode_choice(reader, path, value, grad_loss_reduction_names,
                                            GRAD_LOSS_REDUCTION_COUNT, &index);

    *(grad_loss_reduction *)target = (grad_loss_reduction)index;
    return status;
}

/* Flags are 0 or 1 among the parameters. */
static grad_status read_flag(grad_reader *reader, const grad_path *path, const json_t *value,
                             void *target)
{
    bool flag = false;
    grad_status status = grad_decode_boolean(reader, path, value, &flag);

    *(double *)target = flag ? 1 : 0;
    return status;
}

static grad_field parameter_field(const grad_loss_info *info, size_t parameter)
{
    const grad_parameter_info *p = &info->parameters[parameter];

    return (grad_field){p->name,
                        p->domain == GRAD_FLAG      ? read_flag
                        : p->domain == GRAD_INTEGER ? grad_decode_integer
                                                    : grad_decode_number,
                        offsetof(grad_loss, parameters) + parameter * sizeof(double), NULL};
}

/* The fields of that loss; tensors that only others take say so. Returns how many. */
static size_t list_fields(const grad_loss_info *info, grad_field *fields)
{
    static const struct {
        grad_field field;
        unsigned bit; /* 0: of every loss */
    } rows[] = {
        {{"name", grad_decode_nothing, 0, NULL}, 0},
        {GRAD_FIELD("target", grad_decode_flags, grad_loss, target), 0},
        {GRAD_FIELD("reduction", read_reduction, grad_loss, reduction), 0},
        {GRAD_FIELD("sample_weight", grad_decode_vector, grad_loss, sample_weight), 0},
        {GRAD_FIELD("class_weight", grad_decode_vector, grad_loss, class_weight),
         GRAD_LOSS_CLASS_WEIGHT},
        {GRAD_FIELD("pos_weight", grad_decode_vector, grad_loss, pos_weight), GRAD_LOSS_POS_WEIGHT},
        {GRAD_FIELD("variance", grad_decode_tensor, grad_loss, variance), GRAD_LOSS_VARIANCE},
        {GRAD_FIELD("other", grad_decode_tensor, grad_loss, other), GRAD_LOSS_OTHER},
    };
    size_t count = 0;

    for (size_t i = 0; i < GRAD_COUNT(rows); i++) {
        fields[count] = rows[i].field;
        if (rows[i].bit != 0 && (info->tensors & rows[i].bit) == 0)
            fields[count].elsewhere = "belongs to other losses";
        count++;
    }
    for (size_t i = 0; i < info->parameter_count; i++)
        fields[count++] = parameter_field(info, i);
    return count;
}

bool grad_request_counts_samples(const grad_loss *loss)
{
    unsigned tensors = grad_loss_info_of(loss->kind)->tensors;

    return (tensors & (GRAD_LOSS_CLASSES | GRAD_LOSS_FULL)) != GRAD_LOSS_FULL;
}

grad_status grad_request_loss(grad_reader *reader, const grad_path *path, const json_t *value,
                              void *target)
{
    grad_path name = {.parent = path, .key = "name"};
    grad_field fields[GRAD_FIELDS_MAX];
    const grad_loss_info *info = NULL;
    grad_status status;
    size_t count;

    if (!json_is_object(value))
        return grad_decode_fail_type(reader, path, "an object with the name of a loss", value);
    status = grad_decode_require(reader, path, value, "name");
    if (status == GRAD_OK)
        status = find_loss(reader, &name, json_object_get(value, "name"), &info);
    if (status != GRAD_OK)
        return status;
    *(grad_loss *)target = grad_loss_default(info->kind);
    count = list_fields(info, fields);
    status = grad_decode_object(reader, path, value, "a loss", fields, count, target);
    if (grad_request_counts_samples(target))
        grad_decode_give_rank(&((grad_loss *)target)->target, 1);
    return status == GRAD_OK ? grad_decode_require(reader, path, value, "target") : status;
}
