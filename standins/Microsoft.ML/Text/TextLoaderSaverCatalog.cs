using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace Microsoft.ML;

/// <summary>Text files to views and back.</summary>
public static class TextLoaderSaverCatalog
{
    public static IDataView LoadFromTextFile<TInput>(this DataOperationsCatalog catalog, string path, char separatorChar = '\t', bool hasHeader = false,
        bool allowQuoting = false, bool trimWhitespace = false, bool allowSparse = false) =>
        catalog.LoadFromTextFile<TInput>(path, new TextLoader.Options
        {
            Separators = [separatorChar],
            HasHeader = hasHeader,
            AllowQuoting = allowQuoting,
            TrimWhitespace = trimWhitespace,
            AllowSparse = allowSparse,
        });

    public static IDataView LoadFromTextFile<TInput>(this DataOperationsCatalog catalog, string path, TextLoader.Options options)
    {
        Contracts.CheckNonEmpty(path, nameof(path));
        if (!File.Exists(path))
            throw Contracts.ExceptParam(nameof(path), $"File or directory does not exist at path: {path}");
        return TextLoader.Load(catalog.GetEnvironment(), path, options, typeof(TInput));
    }

    public static void SaveAsText(this DataOperationsCatalog catalog, IDataView data, Stream stream, char separatorChar = '\t', bool headerRow = true,
        bool schema = true, bool keepHidden = false, bool forceDense = false)
    {
        Contracts.CheckValue(catalog, nameof(catalog));
        Contracts.CheckValue(data, nameof(data));
        Contracts.CheckValue(stream, nameof(stream));
        new TextSaver(catalog.GetEnvironment(), separatorChar, headerRow, schema, forceDense).Save(data, stream, keepHidden);
    }
}
