using System.Runtime.InteropServices;
using System.Text;
using Microsoft.ML.Tokenizers;

namespace MLNetExtension.Tokenization.Normalization;

/// <summary>Unicode's normalization forms, the <c>NFC</c>, <c>NFD</c>, <c>NFKC</c> and <c>NFKD</c> of <c>tokenizer.json</c>, with their own tables (Unicode 14).</summary>
/// <remarks>
/// <para>Not <see cref="string.Normalize()"/>: it returns text unchanged in the globalization-invariant mode, the default of small container images, and
/// otherwise follows the machine's ICU, so ids would depend on where an application runs. It also refuses lone surrogates, which stay as they are here.</para>
/// <para>Source: Unicode Standard Annex 15, "Unicode Normalization Forms".</para>
/// </remarks>
internal sealed class UnicodeNormalizer(UnicodeForm form) : Normalizer
{
    private const int MaximumClass = 254;
    private const int HangulFirst = 0xAC00, LeadFirst = 0x1100, VowelFirst = 0x1161, TailBase = 0x11A7;
    private const int LeadCount = 19, VowelCount = 21, TailCount = 28;
    private const int HangulCount = LeadCount * VowelCount * TailCount;

    private readonly UnicodeTables _tables = UnicodeTables.Of(form);

    /// <inheritdoc/>
    public override string Normalize(string original)
    {
        ArgumentNullException.ThrowIfNull(original);
        int copied = 0;
        StringBuilder? result = null;
        while (original.AsSpan(copied).IndexOfAny(_tables.Unstable) is var distance and >= 0)
        {
            // It may join what stands before it, and nothing joins what is stable.
            int at = copied + distance, start = Math.Max(copied, at - 1), end = at + 1;
            while (end < original.Length && _tables.IsUnstable(original[end]))
                end++;

            result ??= new StringBuilder(original.Length);
            result.Append(original, copied, start - copied);
            AppendNormalized(original.AsSpan(start, end - start), result);
            copied = end;
        }

        return result is null ? original : result.Append(original, copied, original.Length - copied).ToString();
    }

    /// <inheritdoc/>
    public override string Normalize(ReadOnlySpan<char> original) => Normalize(original.ToString());

    private void AppendNormalized(ReadOnlySpan<char> text, StringBuilder result)
    {
        var codes = new List<int>(text.Length);
        for (int i = 0; i < text.Length; i++)
        {
            int code = text[i];
            if (i + 1 < text.Length && char.IsSurrogatePair(text[i], text[i + 1]))
                code = char.ConvertToUtf32(text[i], text[++i]);

            Decompose(code, codes);
        }

        Order(CollectionsMarshal.AsSpan(codes));
        int kept = _tables.Composes ? Compose(codes) : codes.Count;
        foreach (int code in CollectionsMarshal.AsSpan(codes)[..kept])
        {
            if (code > char.MaxValue)
                result.Append(char.ConvertFromUtf32(code));
            else
                result.Append((char)code);
        }
    }

    private void Decompose(int code, List<int> codes)
    {
        int syllable = code - HangulFirst;
        if ((uint)syllable < HangulCount)
        {
            codes.Add(LeadFirst + (syllable / (VowelCount * TailCount)));
            codes.Add(VowelFirst + (syllable % (VowelCount * TailCount) / TailCount));
            if (syllable % TailCount > 0)
                codes.Add(TailBase + (syllable % TailCount));
        }
        else if (_tables.Parts(code) is { } parts)
        {
            foreach (int part in parts)
                Decompose(part, codes);
        }
        else
        {
            codes.Add(code);
        }
    }

    // Marks after a starter are sorted by class, stably, so that equal texts become equal sequences.
    private void Order(Span<int> codes)
    {
        for (int start = 0; start < codes.Length; start++)
        {
            int end = start;
            while (end < codes.Length && _tables.CombiningClass(codes[end]) != 0)
                end++;

            if (end - start > 1)
                Sort(codes[start..end]);

            start = end;
        }
    }

    // By counting, since a hostile text has millions of marks in a row.
    private void Sort(Span<int> marks)
    {
        Span<int> next = stackalloc int[MaximumClass + 2]; // where the next mark of each class goes
        next.Clear();
        foreach (int mark in marks)
            next[_tables.CombiningClass(mark) + 1]++;

        for (int i = 1; i < next.Length; i++)
            next[i] += next[i - 1];

        int[] sorted = new int[marks.Length];
        foreach (int mark in marks)
            sorted[next[_tables.CombiningClass(mark)]++] = mark;

        sorted.CopyTo(marks);
    }

    // Returns how many of the codes are left.
    private int Compose(List<int> codes)
    {
        int starter = -1; // where in the text so far the last starter stands
        int lastClass = 0; // the class of what was kept after it
        int kept = 0;
        for (int i = 0; i < codes.Count; i++)
        {
            int code = codes[i];
            int combiningClass = _tables.CombiningClass(code);
            bool isNext = starter == kept - 1;
            bool isBlocked = !isNext && (lastClass == 0 || lastClass >= combiningClass);
            if (starter >= 0 && !isBlocked && Pair(codes[starter], code) is var composite and >= 0)
            {
                codes[starter] = composite;
                continue;
            }

            if (combiningClass == 0)
                starter = kept;

            lastClass = combiningClass;
            codes[kept++] = code;
        }

        return kept;
    }

    private int Pair(int first, int second)
    {
        if ((uint)(first - LeadFirst) < LeadCount && (uint)(second - VowelFirst) < VowelCount)
            return HangulFirst + ((((first - LeadFirst) * VowelCount) + second - VowelFirst) * TailCount);

        bool isOpenSyllable = (uint)(first - HangulFirst) < HangulCount && (first - HangulFirst) % TailCount == 0;
        if (isOpenSyllable && second > TailBase && second < TailBase + TailCount)
            return first + second - TailBase;

        return _tables.Composite(first, second);
    }
}
