"""The classes of scikit-learn that are saved: where each is, and the attributes that it learns."""


def lines(table):
    """Name, whether it may be missing, and the specification of each line of a table."""
    for line in filter(None, map(str.strip, table.splitlines())):
        name, *spec = line.split()
        yield name.lstrip("?"), name.startswith("?"), spec


_LINEAR = """
    n_features_in_       whole d
    ?feature_names_in_   words d
    ?classes_            label *
    coef_                float * ...
"""
_COLUMNS = """
    n_features_in_       whole d
    ?feature_names_in_   words d
"""
_MAY_HAVE_COLUMNS = """
    ?n_features_in_      whole d
    ?feature_names_in_   words d
"""
_WORDS = """
    ?fixed_vocabulary_   bool
    ?vocabulary_         index w
"""
_DIRECTIONS = f"""
    {_COLUMNS}
    components_               float k d
    explained_variance_       float k >=0
    explained_variance_ratio_ float k >=0
    singular_values_          float k >=0
"""
_CHOSEN = f"""
    {_COLUMNS}
    scores_              cell d
    ?pvalues_            none cell d
"""
_CATEGORIES = f"""
    {_COLUMNS}
    categories_          list
    _infrequent_enabled  bool
    ?_infrequent_indices list
    ?_default_to_infrequent_mappings list
"""

# Without a table: pipelines and the like, and those that are written in a way of their own.
_PLAIN = {
    "ExtraTreesClassifier": "ensemble",
    "ExtraTreesRegressor": "ensemble",
    "FeatureUnion": "pipeline",
    "FrozenEstimator": "frozen",
    "HistGradientBoostingClassifier": "ensemble",
    "HistGradientBoostingRegressor": "ensemble",
    "KFold": "model_selection",
    "KNeighborsClassifier": "neighbors",
    "KNeighborsRegressor": "neighbors",
    "Pipeline": "pipeline",
    "RandomForestClassifier": "ensemble",
    "RandomForestRegressor": "ensemble",
}
# Module -> class -> table.
_BY_PLACE = {
    "compose": {
        "ColumnTransformer": f"""
            {_COLUMNS}
            transformers_        list
            output_indices_      dict
            sparse_output_       bool
            _columns             list
            _remainder           tuple
            _transformer_to_input_indices dict
        """
    },
    "decomposition": {
        "PCA": f"""
            {_DIRECTIONS}
            mean_                float d
            noise_variance_      number >=0
            n_components_        whole k
            n_samples_           whole
            ?_fit_svd_solver     str
        """,
        "TruncatedSVD": _DIRECTIONS,
    },
    "ensemble": {
        "StackingRegressor": """
            estimators_          list
            final_estimator_     estimator
            stack_method_        list
            _n_feature_outs      list
        """
    },
    "feature_extraction.text": {
        "CountVectorizer": _WORDS,
        "TfidfTransformer": f"""
            {_MAY_HAVE_COLUMNS}
            ?idf_                float d
        """,
        "TfidfVectorizer": f"""
            {_WORDS}
            _tfidf               TfidfTransformer
        """,
    },
    "feature_selection": {
        "SelectKBest": _CHOSEN,
        "SelectPercentile": _CHOSEN,
        "VarianceThreshold": f"""
            {_COLUMNS}
            variances_           float d
        """,
    },
    "impute": {
        "SimpleImputer": f"""
            {_COLUMNS}
            statistics_          cell d
            indicator_           none estimator
            _fit_dtype           dtype
            ?_fill_dtype         dtype
        """
    },
    "kernel_approximation": {
        "Nystroem": f"""
            {_COLUMNS}
            components_          float m d
            normalization_       float m m
            component_indices_   int m >=0
            _n_features_out      whole m
        """,
        "RBFSampler": f"""
            {_COLUMNS}
            random_weights_      float d m
            random_offset_       float m
            _n_features_out      whole m
            ?_gamma              number >0
        """,
    },
    "linear_model": {
        "ElasticNet": _LINEAR,
        "Lasso": _LINEAR,
        "LinearRegression": _LINEAR,
        "LogisticRegression": _LINEAR,
        "LogisticRegressionCV": _LINEAR,
        "Ridge": _LINEAR,
        "RidgeCV": _LINEAR,
        "RidgeClassifier": f"""
            {_LINEAR}
            _label_binarizer     LabelBinarizer
        """,
        "SGDClassifier": _LINEAR,
        "SGDRegressor": _LINEAR,
    },
    "multioutput": {
        "MultiOutputRegressor": """
            n_features_in_       whole
            estimators_          list
        """
    },
    "naive_bayes": {
        "GaussianNB": f"""
            {_COLUMNS}
            classes_             label c
            class_count_         float c >=0
            class_prior_         float c >=0
            theta_               float c d
            var_                 float c d >=0
            epsilon_             number >=0
        """
    },
    "preprocessing": {
        "FunctionTransformer": _MAY_HAVE_COLUMNS,
        "LabelBinarizer": """
            classes_             label *
            y_type_              str
            sparse_input_        bool
        """,
        "MaxAbsScaler": f"""
            {_COLUMNS}
            max_abs_             float d >=0
            scale_               float d >0
            ?n_samples_seen_     count
        """,
        "MinMaxScaler": f"""
            {_COLUMNS}
            min_                 float d
            scale_               float d
            data_min_            float d
            data_max_            float d
            data_range_          float d >=0
            ?n_samples_seen_     count
        """,
        "Normalizer": _MAY_HAVE_COLUMNS,
        "OneHotEncoder": f"""
            {_CATEGORIES}
            drop_idx_            none cell d
            _drop_idx_after_grouping none cell d
            _n_features_outs     list
        """,
        "OrdinalEncoder": f"""
            {_CATEGORIES}
            _missing_indices     dict
        """,
        "PowerTransformer": f"""
            {_COLUMNS}
            lambdas_             float d
            ?_scaler             StandardScaler
        """,
        "QuantileTransformer": f"""
            {_COLUMNS}
            n_quantiles_         whole q
            references_          float q sorted
            quantiles_           float q d sorted
        """,
        "RobustScaler": f"""
            {_COLUMNS}
            center_              none float d
            scale_               none float d >0
        """,
        "StandardScaler": f"""
            {_COLUMNS}
            mean_                none float d
            var_                 none float d >=0
            scale_               none float d >0
            ?n_samples_seen_     count
        """,
    },
    "svm": {"LinearSVC": _LINEAR, "LinearSVR": _LINEAR},
}
STEPS = {name: table for tables in _BY_PLACE.values() for name, table in tables.items()}
LINEAR = [name for name, table in STEPS.items() if _LINEAR in table]
PLACES = _PLAIN | {name: place for place, names in _BY_PLACE.items() for name in names}
