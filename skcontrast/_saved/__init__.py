"""The format of saved folders: values as JSON and arrays, what each class may hold, its heads."""
