"""Functions that free SQL may call: they read nothing but their arguments, and change nothing.

Left out on purpose: whatever sleeps, locks, sets, looks at the server, its files or the network, runs SQL
that is in a string, takes a number from a sequence, or makes much out of little (`repeat`, `lpad`, `format`).
"""

from collections.abc import Mapping
from typing import Final

from domain.connectors.sql_dialect import SqlDialect


def words(text: str) -> frozenset[str]:
    """What stands in `text` between spaces."""
    return frozenset(text.split())


_EVERYWHERE: Final = words(
    """
    abs acos asin atan avg cast ceil ceiling coalesce concat cos count cume_dist current_date
    current_timestamp dense_rank exp extract first_value floor lag last_value lead ln lower ltrim max
    min mod nth_value ntile nullif percent_rank power rank replace round row_number rtrim sign sin sqrt
    substr substring sum tan trim upper
    """
)
_POSTGRES: Final = words(
    """
    age any_value array_agg array_append array_cat array_length array_lower array_ndims array_position
    array_positions array_prepend array_remove array_replace array_to_json array_to_string array_upper
    ascii atan2 bit_and bit_length bit_or bool_and bool_or btrim cardinality cbrt char_length
    character_length chr clock_timestamp concat_ws corr cot count covar_pop covar_samp current_time date
    date_bin date_part date_trunc degrees div encode every factorial gcd generate_series
    generate_subscripts greatest initcap isfinite json_agg json_array_elements json_array_elements_text
    json_array_length json_build_array json_build_object json_each json_each_text json_extract_path
    json_extract_path_text json_object_agg json_object_keys json_strip_nulls json_typeof jsonb_agg
    jsonb_array_elements jsonb_array_elements_text jsonb_array_length jsonb_build_array
    jsonb_build_object jsonb_each jsonb_each_text jsonb_exists jsonb_extract_path
    jsonb_extract_path_text jsonb_object_agg jsonb_object_keys jsonb_path_exists jsonb_path_query
    jsonb_path_query_array jsonb_path_query_first jsonb_strip_nulls jsonb_typeof justify_days
    justify_hours justify_interval lcm least left length localtime localtimestamp log log10 make_date
    make_interval make_time make_timestamp make_timestamptz md5 mode now numrange octet_length overlay
    percentile_cont percentile_disc phraseto_tsquery pi plainto_tsquery position quote_ident
    quote_literal radians range_merge regexp_count regexp_instr regexp_like regexp_match regexp_matches
    regexp_replace regexp_split_to_array regexp_split_to_table regexp_substr regr_avgx regr_avgy
    regr_count regr_intercept regr_r2 regr_slope reverse right row row_to_json scale sha256 split_part
    starts_with statement_timestamp stddev stddev_pop stddev_samp string_agg string_to_array
    string_to_table strpos time timestamp to_char to_date to_json to_jsonb to_number to_timestamp
    to_tsquery to_tsvector transaction_timestamp translate trim_array trunc ts_headline ts_rank
    ts_rank_cd unnest var_pop var_samp variance websearch_to_tsquery width_bucket
    """
)
_MYSQL: Final = words(
    """
    adddate addtime against any_value ascii atan2 bin bit_and bit_count bit_length bit_or bit_xor char
    char_length character_length concat_ws conv convert convert_tz cot crc32 curdate current_time
    curtime date date_add date_format date_sub datediff day dayname dayofmonth dayofweek dayofyear
    degrees elt field find_in_set format from_days from_unixtime get_format greatest group_concat hex
    hour if ifnull inet_aton inet_ntoa instr isnull json_array json_arrayagg json_contains
    json_contains_path json_extract json_keys json_length json_object json_objectagg json_overlaps
    json_search json_type json_unquote json_valid json_value last_day lcase least left length localtime
    localtimestamp locate log log10 log2 makedate maketime match md5 microsecond mid minute month
    monthname now oct octet_length ord period_add period_diff pi position quarter radians regexp_instr
    regexp_like regexp_replace regexp_substr reverse right sec_to_time second sha sha1 sha2 soundex std
    stddev stddev_pop stddev_samp str_to_date strcmp subdate substring_index subtime sysdate time
    time_format time_to_sec timediff timestamp timestampadd timestampdiff to_days to_seconds truncate
    ucase unhex unix_timestamp utc_date utc_time utc_timestamp var_pop var_samp variance week weekday
    weekofyear year yearweek
    """
)
_ORACLE: Final = words(
    """
    add_months ascii bitand chr corr cosh current_time decode empty_clob greatest initcap instr
    json_array json_exists json_object json_query json_value last_day least length listagg lnnvl
    localtimestamp log median months_between nanvl new_time next_day nls_initcap nls_lower nls_upper
    numtodsinterval numtoyminterval nvl nvl2 percentile_cont percentile_disc ratio_to_report
    regexp_count regexp_instr regexp_like regexp_replace regexp_substr regr_avgx regr_avgy regr_count
    regr_intercept regr_r2 regr_slope remainder reverse sinh soundex standard_hash stats_mode stddev
    stddev_pop stddev_samp substrb sysdate systimestamp tanh to_char to_clob to_date to_dsinterval
    to_number to_timestamp to_timestamp_tz to_yminterval translate trunc var_pop var_samp variance
    width_bucket
    """
)
_TSQL: Final = words(
    """
    approx_count_distinct ascii atn2 char charindex checksum_agg choose concat_ws convert cot count_big
    datalength date_bucket dateadd datediff datediff_big datefromparts datename datepart
    datetime2fromparts datetimefromparts datetrunc day degrees difference eomonth getdate getutcdate
    greatest grouping hashbytes iif isdate isjson isnull isnumeric json_array json_object
    json_path_exists json_query json_value least left len log log10 month nchar patindex percentile_cont
    percentile_disc pi quotename radians reverse right soundex square stdev stdevp str string_agg
    string_escape stuff switchoffset sysdatetime sysdatetimeoffset sysutcdatetime timefromparts
    todatetimeoffset translate try_cast try_convert unicode var varp year
    """
)
_SQLITE: Final = words(
    """
    acosh asinh atan2 atanh char concat_ws cosh current_time date datetime degrees format_date glob
    group_concat hex ifnull iif instr json json_array json_array_length json_each json_extract
    json_group_array json_group_object json_object json_patch json_quote json_tree json_type json_valid
    julianday length likelihood likely log log10 log2 nullif octet_length pi quote radians sinh soundex
    strftime string_agg tanh time timediff total trunc typeof unhex unicode unixepoch unlikely
    """
)
_DUCKDB: Final = words(
    """
    age any_value approx_count_distinct approx_quantile arg_max arg_min array_agg array_length ascii
    atan2 bar bit_and bit_count bit_or bit_xor bool_and bool_or cardinality cbrt chr concat_ws contains
    corr count_if count_star covar_pop covar_samp current_time damerau_levenshtein date date_add
    date_diff date_part date_sub date_trunc datediff datepart datetrunc day dayname dayofmonth dayofweek
    dayofyear decode degrees editdist3 encode ends_with entropy epoch epoch_ms even extract favg first
    fsum gcd generate_series greatest group_concat hamming hash histogram hour ifnull instr isfinite
    isinf isnan jaccard jaro_similarity jaro_winkler_similarity json_array_length json_extract
    json_extract_string json_keys json_type json_valid kurtosis last last_day lcm least left len length
    levenshtein list list_aggregate list_avg list_contains list_count list_distinct list_element
    list_extract list_max list_min list_position list_slice list_sort list_sum list_unique list_value
    listagg localtime localtimestamp log log10 log2 mad make_date make_time make_timestamp map_keys
    map_values max_by md5 median min_by minute mode month monthname now ord pi position product quantile
    quantile_cont quantile_disc quarter radians range regexp_extract regexp_extract_all
    regexp_full_match regexp_matches regexp_replace regexp_split_to_array regr_avgx regr_avgy regr_count
    regr_intercept regr_r2 regr_slope reverse right row second sem sha256 skewness split split_part
    starts_with stddev stddev_pop stddev_samp str_split strftime string_agg string_split strip_accents
    strlen strpos strptime struct_extract struct_pack time_bucket timestamp to_days to_hours to_json
    to_minutes to_months to_seconds to_timestamp to_years transaction_timestamp translate trunc try_cast
    try_strptime typeof unicode unnest var_pop var_samp variance week weekday weekofyear year yearweek
    """
)
FUNCTIONS: Final[Mapping[SqlDialect, frozenset[str]]] = {
    SqlDialect.POSTGRES: _EVERYWHERE | _POSTGRES,
    SqlDialect.MYSQL: _EVERYWHERE | _MYSQL,
    SqlDialect.ORACLE: _EVERYWHERE | _ORACLE,
    SqlDialect.TSQL: _EVERYWHERE | _TSQL,
    SqlDialect.SQLITE: _EVERYWHERE | _SQLITE,
    SqlDialect.DUCKDB: _EVERYWHERE | _DUCKDB,
}
"""In lower case, without a schema."""
