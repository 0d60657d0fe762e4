using System.Buffers;
using System.Globalization;

namespace MLNetExtension.Tokenization.Normalization;

/// <summary>What characters decompose to and compose from in one normalization form, read from <c>canonical.txt</c> and, for the forms of compatibility, <c>compatibility.txt</c>.</summary>
internal sealed class UnicodeTables
{
    private static readonly Lazy<UnicodeTables>[] Shared = [.. Enum.GetValues<UnicodeForm>().Select(form => new Lazy<UnicodeTables>(() => new UnicodeTables(form)))];

    private readonly Dictionary<int, int[]> _parts = [];
    private readonly Dictionary<(int First, int Second), int> _composites = [];
    private readonly Dictionary<int, int> _classes = [];
    private readonly bool[] _unstable = new bool[char.MaxValue + 1];

    private UnicodeTables(UnicodeForm form)
    {
        Composes = form is UnicodeForm.C or UnicodeForm.KC;
        Read("canonical.txt");
        if (form is UnicodeForm.KC or UnicodeForm.KD)
            Read("compatibility.txt");

        FindUnstable();
        Unstable = SearchValues.Create([.. Enumerable.Range(0, _unstable.Length).Where(code => _unstable[code]).Select(code => (char)code)]);
    }

    /// <summary>Whether what was decomposed is composed again.</summary>
    public bool Composes { get; }

    /// <summary>The chars of which <see cref="IsUnstable"/> is true.</summary>
    public SearchValues<char> Unstable { get; }

    /// <summary>The tables of a form, read once a process.</summary>
    public static UnicodeTables Of(UnicodeForm form) => Shared[(int)form].Value;

    /// <summary>The characters that a character decomposes to in one step; null where it does not decompose.</summary>
    public int[]? Parts(int code) => _parts.GetValueOrDefault(code);

    /// <summary>The character that two compose to, or -1.</summary>
    public int Composite(int first, int second) => _composites.GetValueOrDefault((first, second), -1);

    /// <summary>The canonical combining class; 0 for a starter.</summary>
    public int CombiningClass(int code) => _classes.GetValueOrDefault(code);

    /// <summary>Whether a char may be changed, moved, or joined to what stands before it: the text in front of any other is normalized without it.</summary>
    public bool IsUnstable(char character) => _unstable[character];

    private void Read(string resource)
    {
        using Stream stream = typeof(UnicodeTables).Assembly.GetManifestResourceStream(resource)!;
        using var reader = new StreamReader(stream);
        foreach (string entry in reader.ReadToEnd().Split(';', '\n'))
        {
            string[] fields = entry.Split(' ');
            switch (fields[0])
            {
                case "C":
                    _parts[Code(fields[1])] = [Code(fields[2]), Code(fields[3])];
                    _composites[(Code(fields[2]), Code(fields[3]))] = Code(fields[1]);
                    break;
                case "D" or "K":
                    _parts[Code(fields[1])] = [.. fields[2..].Select(Code)];
                    break;
                case "O":
                    for (int code = Code(fields[1]); code <= Code(fields[2]); code++)
                        _classes[code] = int.Parse(fields[3], CultureInfo.InvariantCulture);
                    break;
            }
        }
    }

    private void FindUnstable()
    {
        const int HangulFirst = 0xAC00, HangulCount = 11_172;
        IEnumerable<int> unstable = [.. Enumerable.Range(0xD800, 0x800), .. _classes.Keys, .. Composes ? JoinedOrChanged() : [.. _parts.Keys, .. Enumerable.Range(HangulFirst, HangulCount)]];
        foreach (int code in unstable.Where(code => code <= char.MaxValue))
            _unstable[code] = true;

        foreach (int code in _parts.Keys.Where(code => code <= char.MaxValue))
            _unstable[code] |= Beginning(code) is var first && (first > char.MaxValue || _unstable[first]);
    }

    // Hangul's vowels and tails, second halves of compositions, and what does not compose again from its parts, in one step or any later one.
    private IEnumerable<int> JoinedOrChanged()
    {
        const int VowelFirst = 0x1161, TailLast = 0x11C2;
        var changed = _parts.Keys.Where(code => !ComposesAgain(code));
        return [.. Enumerable.Range(VowelFirst, TailLast - VowelFirst + 1), .. _composites.Keys.Select(pair => pair.Second), .. changed];
    }

    private bool ComposesAgain(int code) => Parts(code) is not { } parts || (parts is [int first, int second] && Composite(first, second) == code && ComposesAgain(first) && ComposesAgain(second));

    private int Beginning(int code)
    {
        while (Parts(code) is { } parts)
            code = parts[0];

        return code;
    }

    private static int Code(string hexadecimal) => int.Parse(hexadecimal, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
}
