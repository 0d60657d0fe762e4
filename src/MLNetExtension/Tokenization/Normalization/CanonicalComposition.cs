using System.Text;
using Microsoft.ML.Tokenizers;

namespace MLNetExtension.Tokenization.Normalization;

/// <summary>Unicode normalization form C, the <c>NFC</c> of <c>tokenizer.json</c>, with its own tables (Unicode 14).</summary>
/// <remarks>
/// <para>Not <see cref="string.Normalize()"/>: it returns text unchanged in the globalization-invariant mode, the default of small container images, and
/// otherwise follows the machine's ICU, so ids would depend on where an application runs. It also refuses lone surrogates, which stay as they are here.</para>
/// <para>Source: Unicode Standard Annex 15, "Unicode Normalization Forms".</para>
/// </remarks>
internal sealed class CanonicalComposition : Normalizer
{
    // Every character below U+0300 is in form C, and none of them composes with one before it.
    private const char FirstThatMayChange = '\u0300';

    private const int HangulFirst = 0xAC00, LeadFirst = 0x1100, VowelFirst = 0x1161, TailBase = 0x11A7;
    private const int LeadCount = 19, VowelCount = 21, TailCount = 28;
    private const int HangulCount = LeadCount * VowelCount * TailCount;

    private readonly CanonicalTables _tables = CanonicalTables.Instance;

    /// <inheritdoc/>
    public override string Normalize(string original)
    {
        ArgumentNullException.ThrowIfNull(original);
        return MayChange(original) ? Compose(Decompose(original)) : original;
    }

    /// <inheritdoc/>
    public override string Normalize(ReadOnlySpan<char> original) => Normalize(original.ToString());

    private static bool MayChange(ReadOnlySpan<char> text) => text.ContainsAnyInRange(FirstThatMayChange, char.MaxValue);

    private List<int> Decompose(string text)
    {
        var codes = new List<int>(text.Length);
        for (int i = 0; i < text.Length; i++)
        {
            int code = text[i];
            if (i + 1 < text.Length && char.IsSurrogatePair(text[i], text[i + 1]))
                code = char.ConvertToUtf32(text[i], text[++i]);

            Decompose(code, codes);
        }

        Order(codes);
        return codes;
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
    private void Order(List<int> codes)
    {
        for (int start = 0; start < codes.Count; start++)
        {
            if (_tables.CombiningClass(codes[start]) == 0)
                continue;

            int end = start + 1;
            while (end < codes.Count && _tables.CombiningClass(codes[end]) != 0)
                end++;

            if (end - start > 1)
            {
                int[] sorted = [.. codes.GetRange(start, end - start).OrderBy(_tables.CombiningClass)];
                for (int i = 0; i < sorted.Length; i++)
                    codes[start + i] = sorted[i];
            }

            start = end;
        }
    }

    private string Compose(List<int> codes)
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

        return Text(codes, kept);
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

    private static string Text(List<int> codes, int count)
    {
        var text = new StringBuilder(count);
        for (int i = 0; i < count; i++)
        {
            if (codes[i] > char.MaxValue)
                text.Append(char.ConvertFromUtf32(codes[i]));
            else
                text.Append((char)codes[i]);
        }

        return text.ToString();
    }
}
