using System.Text;
using Microsoft.ML;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;
using Microsoft.ML.Transforms.Text;

[assembly: LoadableClass(typeof(TextNormalizingTransformer), typeof(TextNormalizingTransformer), null, typeof(SignatureLoadModel),
    TextNormalizingTransformer.LoaderSignature)]

namespace Microsoft.ML.Transforms.Text;

public sealed class TextNormalizingEstimator : TrivialEstimator<TextNormalizingTransformer>
{
    internal TextNormalizingEstimator(IHostEnvironment env, string outputColumnName, string inputColumnName, CaseMode caseMode, bool keepDiacritics,
        bool keepPunctuations, bool keepNumbers)
        : base(env.Register(nameof(TextNormalizingEstimator)),
            new TextNormalizingTransformer(env, caseMode, keepDiacritics, keepPunctuations, keepNumbers, (outputColumnName, inputColumnName)))
    {
    }

    public enum CaseMode
    {
        Lower = 0,
        Upper = 1,
        None = 2,
    }

    public override SchemaShape GetOutputSchema(SchemaShape inputSchema) => inputSchema.Through(Transformer);
}

/// <summary>Changes case and takes out diacritics, punctuation and numbers, each a choice.</summary>
public sealed class TextNormalizingTransformer : OneToOneTransformerBase
{
    internal const string LoaderSignature = "TextNormalizerTransform";

    private readonly TextNormalizingEstimator.CaseMode _caseMode;
    private readonly bool _keepDiacritics;
    private readonly bool _keepPunctuations;
    private readonly bool _keepNumbers;

    internal TextNormalizingTransformer(IHostEnvironment env, TextNormalizingEstimator.CaseMode caseMode, bool keepDiacritics, bool keepPunctuations,
        bool keepNumbers, params (string, string)[] columns)
        : base(env.Register("TextNormalizer"), columns)
    {
        _caseMode = caseMode;
        _keepDiacritics = keepDiacritics;
        _keepPunctuations = keepPunctuations;
        _keepNumbers = keepNumbers;
    }

    private static VersionInfo Version =>
        new("TEXTNORM", 0x00010001, 0x00010001, 0x00010001, typeof(TextNormalizingTransformer).Assembly.FullName, LoaderSignature);

    internal static TextNormalizingTransformer Create(IHostEnvironment env, ModelLoadContext ctx)
    {
        ctx.CheckAtModel(Version);
        (string, string)[] columns = LoadColumns(ctx);
        return new TextNormalizingTransformer(env, (TextNormalizingEstimator.CaseMode)ctx.Reader.ReadByte(), ctx.Reader.ReadBoolean(),
            ctx.Reader.ReadBoolean(), ctx.Reader.ReadBoolean(), columns);
    }

    private protected override void SaveModel(ModelSaveContext ctx)
    {
        ctx.SetVersionInfo(Version);
        SaveColumns(ctx);
        ctx.Writer.Write((byte)_caseMode);
        ctx.Writer.Write(_keepDiacritics);
        ctx.Writer.Write(_keepPunctuations);
        ctx.Writer.Write(_keepNumbers);
    }

    private protected override MappedColumn MakeColumn(string name, DataViewSchema.Column source)
    {
        VectorDataViewType vector = source.Type as VectorDataViewType;
        if ((vector?.ItemType ?? source.Type) is not TextDataViewType)
            throw Host.ExceptSchemaMismatch("inputSchema", "input", source.Name, "String or vector of String", source.Type.ToString());
        return vector == null
            ? new(new(name, source.Type), [source.Index], row => MakeScalarGetter(row, source))
            : new(new(name, new VectorDataViewType(TextDataViewType.Instance)), [source.Index], row => MakeVectorGetter(row, source));
    }

    private ValueGetter<ReadOnlyMemory<char>> MakeScalarGetter(DataViewRow row, DataViewSchema.Column source)
    {
        Func<ReadOnlyMemory<char>> read = RowFilter.Reader(row.GetGetter<ReadOnlyMemory<char>>(source));
        StringBuilder buffer = new();
        return (ref ReadOnlyMemory<char> destination) => destination = Normalize(read(), buffer);
    }

    // Texts of which nothing is left are left out.
    private ValueGetter<VBuffer<ReadOnlyMemory<char>>> MakeVectorGetter(DataViewRow row, DataViewSchema.Column source)
    {
        Func<VBuffer<ReadOnlyMemory<char>>> read = RowFilter.Reader(row.GetGetter<VBuffer<ReadOnlyMemory<char>>>(source));
        StringBuilder buffer = new();
        return (ref VBuffer<ReadOnlyMemory<char>> destination) =>
        {
            ReadOnlyMemory<char>[] texts = [.. read().Items().Select(item => Normalize(item.Value, buffer)).Where(text => !text.IsEmpty)];
            VBuffer<ReadOnlyMemory<char>>.Copy(texts, 0, ref destination, texts.Length);
        };
    }

    private ReadOnlyMemory<char> Normalize(ReadOnlyMemory<char> text, StringBuilder buffer)
    {
        buffer.Clear();
        foreach (char character in text.Span)
        {
            if ((!_keepPunctuations && char.IsPunctuation(character)) || (!_keepNumbers && char.IsNumber(character))
                || (!_keepDiacritics && Diacritics.IsCombining(character)))
                continue;
            char kept = _keepDiacritics ? character : Diacritics.Remove(character);
            buffer.Append(_caseMode switch
            {
                TextNormalizingEstimator.CaseMode.Lower => char.ToLowerInvariant(kept),
                TextNormalizingEstimator.CaseMode.Upper => char.ToUpperInvariant(kept),
                _ => kept,
            });
        }
        return buffer.Equals(text.Span) ? text : buffer.ToString().AsMemory();
    }
}
