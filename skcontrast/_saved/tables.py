"""The attributes of each class that is saved: see :mod:`skcontrast._saved.schema`."""

from skcontrast._saved.search import SEARCH
from skcontrast._saved.step_tables import STEPS

_TRAINED = """
    input_               Input
    output_              Output
    objective_           Component
    network_             Component
    projector_           none Component
    weights_             arrays
    objective_weights_   arrays
    _width               whole
    n_components_        whole
    _n_epochs            whole
    n_iter_              whole
    loss_curve_          curve
    validation_curve_    none curve
    ?finetune_curve_     curve
    ?_optimizer_state    dict
    ?memory_             dict
    ?_momentum_state     arrays
    ?classes_            label c ...
    ?target_mean_        float t
    ?target_scale_       float t >0
    ?targets_            dict
"""
_HEAD = """
    encoder_             BaseContrastive
    ?_sparse_columns     bool
    _n_raw               whole
    ?_embedding_scale    number >0
"""
_WORDS = """
    vocabulary_            index w
    counts_                int w >=0
    embedding_             float w d
    loss_curve_            curve
    n_iter_                whole
"""
_ADAPTER = """
    ?input_                  TableInput
    n_features_in_           whole f
    ?feature_names_in_       words f
    estimator_               none estimator
    n_targets_               whole c
    ?classes_                label c
    ?kernel_                 none Kernel
    ?X_fit_                  float n d
    ?dual_coef_              float n c
    ?intercept_              float c
    ?coef_                   float c d
    ?discriminant_intercept_ float c
    ?means_                  float c d
    ?covariance_             float d d
    ?blend_weights_          float 2
    ?alpha_                  number >=0
    ?base_scale_             number
    ?gamma_                  none number
    ?temperature_            number >0
    ?prior_weight_           number >=0
    ?shrinkage_              number >=0
    ?_discriminant_scale     number
    ?n_iter_                 whole
    ?_hold                   dict
    ?_support                none dict
    ?_factor                 none dict
    ?_base_part              none dict
    ?_weight_unit            number >0
    ?_unit_rows              bool
    ?_flat                   bool
"""
_COLUMNS = """
    n_features_in_       whole f
    ?feature_names_in_   words f
"""
TABLES = {
    "BaseContrastive": _TRAINED,
    "TableInput": """
        n_features_in_       whole f
        ?feature_names_in_   words f
        expansion_           none FrameColumns
        features_            none int p >=0
        mean_                none float p
        scale_               none float p >0
        ?running_            arrays
    """,
    "BlocksInput": """
        ?n_features_in_      whole
        ?feature_names_in_   words *
        inputs_              dict
        columns_             none dict
        n_pairs_             int v v >=0
    """,
    "CanonicalCorrelation": """
        input_               BlocksInput
        regularization_      number >=0
        correlations_        float k >=0
        maps_                dict
        offsets_             dict
        width_               whole k
        n_components_        whole
    """,
    "ContrastivePCA": """
        input_               TableInput
        components_          float k f
        mean_                float f
        scale_               none float f >0
        candidate_contrasts_ float *
        eigenvalues_         float k
        contrast_index_      float k
    """,
    "CorrelationAlignment": """
        input_               TableInput
        domains_             label g
        means_               float g f
        maps_                float g f f
        mean_                float f
    """,
    "BackboneInput": "mean_  none float p",
    "ConvolvedSeriesInput": """
        series_              SeriesInput
        convolutions_        dict
        n_steps_             whole >=0
        expansion_           none FrameColumns
        features_            none int p >=0
        mean_                float p
        scale_               float p >0
    """,
    "SeriesInput": """
        n_features_in_       whole
        ?feature_names_in_   words *
        shape_in_            tuple
        mean_                none float c
        scale_               none float c >0
        is_aligned_          bool
        _flat                bool
    """,
    "RecordingInput": """
        n_features_in_       whole
        ?feature_names_in_   words *
        shape_in_            tuple
        mean_                none float c
        scale_               none float c >0
    """,
    "Convolutions": """
        dilations_           int d >=1
        counts_              int d >=0
        channels_            bool d 84 c
        biases_              float b
    """,
    "RandomConvolutions": """
        input_               SeriesInput
        convolutions_        Convolutions
    """,
    "FrameColumns": """
        is_category          bool f
        medians              float m
        was_missing          int k <m
        categories           list
        has_rare             list
        features             int p <p
    """,
    "TextInput": """
        word_counts_         int 4 16384 >=0
        n_features           whole
    """,
    "Output": """
        ?parts_              dict
        ?part_means_         arrays
        ?part_scales_        scores
        ?part_columns_       dict
        ?bases_              arrays
        ?mean_               float e
        ?directions_         float e k
        ?length_             none number >0
        ?told_               bool
        ?absent_             none arrays
    """,
    "Columns": """
        components_          none float k c
        ?rows_               none table f c
    """,
    "Whitening": f"""
        {_COLUMNS}
        mean_                float f
        components_          float k f
        n_components_        whole k
        eigenvalues_         float f >=0
        shrinkage_           float g >=0
        permutation_         int f <f
        n_dropped_           whole
    """,
    "HubnessReducedNeighbors": f"""
        {_COLUMNS}
        X_fit_               float n f
        surroundings_        float n *
        n_samples_fit_       whole n
        k_                   none whole
        fitted_as_           tuple
        shift_               number >=0
    """,
    "BinaryCodes": f"""
        {_COLUMNS}
        mean_                float f
        components_          float b f
    """,
    "SparseCoder": f"""
        {_COLUMNS}
        encoder_             ContrastiveEncoder
        n_iter_              whole
        decoder_             float h f
        mean_                float f
        offset_              float f
        scale_               number >0
    """,
    "GroupCentering": f"""
        {_COLUMNS}
        mean_                float f
        groups_              label g
        group_means_         float g f
    """,
    "Ranks": """
        columns_             int k >=0
        ?quantiles_          float q k sorted
        ?references_         float q sorted
        ?scale_              float k >0
    """,
    "Kernel": """
        landmarks_           float m l
        map_                 float m m
        gamma_               number >0
        ?squares_            float m >=0
    """,
    "Neighborhood": """
        references_          float r l
        n_neighbors_         whole >=1
        ?squares_            float r >=0
    """,
    "Patterns": """
        dilations_           int d >=1
        kernels_             float d k 1 h w
        thresholds_          float d k
        mean_                float s
        scale_               float s >0
        ?column_means_       none float l
        ?column_scales_      none float l >0
    """,
    "SupervisedContrastiveClassifier": f"""
        {_HEAD}
        ?_output             none Output
        classes_             label c
        ?classifier_         estimator
    """,
    "SupervisedContrastiveRegressor": f"""
        {_HEAD}
        target_mean_         float t
        target_scale_        float t >0
        ?regressor_          estimator
        ?_intervals          Intervals
        _one_column          bool
        _seed                whole
    """,
    "ContrastiveAnomalyDetector": """
        encoder_             estimator
        outlier_encoder_     none BaseContrastive
        rows_                float n d
        center_              float d
        outlier_rows_        none float n e
        units_               tuple
        training_scores_     float n
        offset_              number
        _k                   whole
    """,
    "LabelCredibility": """
        encoder_             estimator
        classes_             label c
        rows_                table n d
        codes_               int n >=-1
        classifier_          none estimator
        spread_              none number >=0
        probabilities_       float n c >=0
        training_scores_     cell n
    """,
    "SemanticSignalSeparation": """
        n_features_in_       whole d
        ?feature_names_in_   words d
        components_          float k d
        mean_                float d
        skewness_            float k >=0
        n_components_        whole k
        n_iter_              whole
    """,
    "WeightedProbabilities": """
        classifier_          estimator
        classes_             label c
    """,
    "Intervals": """
        rows_                float n d
        targets_             float n t
        floor_               float t >0
        scores_              float m t >=0
    """,
    "BaseProKeR": _ADAPTER,
    "TangentSurrogate": """
        ?input_              TableInput
        n_features_in_       whole f
        ?feature_names_in_   words f
        classes_             label c
        kernel_              Kernel
        X_fit_               float n d
        dual_coef_           float n c
        intercept_           float c
    """,
    "KernelReplayClassifier": """
        input_               TableInput
        n_features_in_       whole f
        ?feature_names_in_   words f
        classes_             label c
        n_seen_              int c >0
        mixture_weights_     float c k >=0
        mixture_means_       float c k d
        mixture_variances_   float c k d >=0
        classifier_          none ProKeRClassifier
        _seed                whole
    """,
    "ZeroShotClassifier": """
        ?input_              TableInput
        n_features_in_       whole f
        ?feature_names_in_   words f
        ?class_sums_         float c d
        class_embeddings_    float c d
        classes_             label c
    """,
    "Word2VecVectorizer": f"""
        {_WORDS}
        context_embedding_   float w d
        ?_seed               whole
        ?common_components_  float * d
    """,
    "Sent2VecVectorizer": f"""
        {_WORDS}
        target_embedding_    float w d
        ngram_buckets_       int g sorted
        ngram_embedding_     float g d
        subword_buckets_     int s sorted
        subword_embedding_   float s d
    """,
    "PhraseTransformer": """
        phrases_             scores
        threshold_           curve
        _passes              list
    """,
    **SEARCH,
    **STEPS,
}
