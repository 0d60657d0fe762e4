using System.Buffers;
using System.Globalization;

namespace MLNetExtension.Tokenization.Normalization;

/// <summary>The tables of canonical decomposition and composition, read from <c>canonical.txt</c>.</summary>
internal sealed class CanonicalTables
{
    private const string Resource = "canonical.txt";

    private static readonly Lazy<CanonicalTables> Shared = new(() => new CanonicalTables());

    private readonly Dictionary<int, int[]> _parts = [];
    private readonly Dictionary<(int First, int Second), int> _composites = [];
    private readonly Dictionary<int, int> _classes = [];
    private readonly bool[] _unstable = new bool[char.MaxValue + 1];

    private CanonicalTables()
    {
        using Stream stream = typeof(CanonicalTables).Assembly.GetManifestResourceStream(Resource)!;
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
                case "D":
                    _parts[Code(fields[1])] = [.. fields[2..].Select(Code)];
                    break;
                case "O":
                    for (int code = Code(fields[1]); code <= Code(fields[2]); code++)
                        _classes[code] = int.Parse(fields[3], CultureInfo.InvariantCulture);
                    break;
            }
        }

        FindUnstable();
        Unstable = SearchValues.Create([.. Enumerable.Range(0, _unstable.Length).Where(code => _unstable[code]).Select(code => (char)code)]);
    }

    /// <summary>The tables, read once a process.</summary>
    public static CanonicalTables Instance => Shared.Value;

    /// <summary>The one or two characters that a character decomposes to in one step; null where it does not decompose.</summary>
    public int[]? Parts(int code) => _parts.GetValueOrDefault(code);

    /// <summary>The character that two compose to, or -1.</summary>
    public int Composite(int first, int second) => _composites.GetValueOrDefault((first, second), -1);

    /// <summary>The canonical combining class; 0 for a starter.</summary>
    public int CombiningClass(int code) => _classes.GetValueOrDefault(code);

    /// <summary>The chars of which <see cref="IsUnstable"/> is true.</summary>
    public SearchValues<char> Unstable { get; }

    /// <summary>Whether a char may be changed, moved, or joined to what stands before it: the text in front of any other is composed without it.</summary>
    public bool IsUnstable(char character) => _unstable[character];

    // Halves of pairs, marks, Hangul's vowels and tails, second halves of compositions, what does not compose again from its parts, and what begins with any of these.
    private void FindUnstable()
    {
        const int VowelFirst = 0x1161, TailLast = 0x11C2;
        var excluded = _parts.Where(entry => entry.Value is not [int first, int second] || Composite(first, second) != entry.Key).Select(entry => entry.Key);
        int[] unstable =
        [
            .. Enumerable.Range(0xD800, 0x800), .. Enumerable.Range(VowelFirst, TailLast - VowelFirst + 1),
            .. _classes.Keys, .. _composites.Keys.Select(pair => pair.Second), .. excluded,
        ];
        foreach (int code in unstable.Where(code => code <= char.MaxValue))
            _unstable[code] = true;

        foreach (int code in _parts.Keys.Where(code => code <= char.MaxValue))
            _unstable[code] |= Beginning(code) is var first && (first > char.MaxValue || _unstable[first]);
    }

    private int Beginning(int code)
    {
        while (Parts(code) is { } parts)
            code = parts[0];

        return code;
    }

    private static int Code(string hexadecimal) => int.Parse(hexadecimal, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
}
