"""What folders held before there were inputs and outputs."""


def of_format_1(class_of, owner, params, fitted):
    """Parameters and attributes of an encoder as they are since there are inputs and outputs."""
    take = fitted.pop
    words, width_in, kept = take("word_counts_", None), take("_width_in", None), {}
    if words is None:
        kind, own = "TableInput", ("standardize", "precision")
        names = ("mean_", "scale_", "n_features_in_", "feature_names_in_")
        kept = {name: take(name) for name in names if name in fitted}
        kept["expansion_"] = take("expansion_", None)
        kept["features_"] = take("_column_features", None)
    else:
        kind = "TextInput"
        own = ("tokenizer", "token_pattern", "lowercase", "stop_words", "strip_accents")
        kept = {"word_counts_": words, "n_features": width_in}
        take("mean_"), take("scale_")
    source = class_of(f"_inputs.{kind}")(owner, **{name: params[name] for name in own})
    vars(source).update(kept)
    parts = take("_parts_wanted", ())
    output = class_of("_output.Output")(parts)
    names = ("parts_", "part_means_", "part_scales_", "part_columns_")
    vars(output).update({name: take(name) for name in names if name in fitted})
    output.bases_ = {}
    if "passthrough" in params:
        params["passthrough"] = list(parts) or False
    width, columns = take("n_components_"), take("_n_features_out")
    new = {"input_": source, "output_": output, "_width": width, "n_components_": columns}
    return params, fitted | new
