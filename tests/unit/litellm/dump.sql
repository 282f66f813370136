--
-- PostgreSQL database dump
--
COPY public."LiteLLM_SpendLogs" (request_id, api_key) FROM stdin;
1	zzz
\.
COPY public."LiteLLM_TeamTable" (team_id, team_alias, models, blocked) FROM stdin;
t-1	Search Team	{gpt-4o,claude}	f
t-2	\N	{}	f
\.
COPY public."LiteLLM_VerificationToken" (token, key_name, key_alias, spend, expires, models, team_id, user_id, blocked, max_budget, budget_duration, rpm_limit, created_at) FROM stdin;
863f87ca150daa80ec8be6832c042980a95be3fd5e2f70c09f6224873ec4d4fc	sk-...aaaa	search bot	1.25	2031-01-31 12:00:00	{gpt-4o}	t-1	u-1	f	10	30d	60	2026-01-01 00:00:00
5e31278545505db1d65bf1dd696e8eaa1edfb00ba455e21c83200c04ef643c91	sk-...bbbb	\N	0	\N	{}	t-2	\N	\N	\N	\N	\N	\N
46a984dc35ca7ed367d757cabce512099305ce4fc48535c8211d56bab8a495af	sk-...cccc	blocked one	0	\N	{all-team-models}	t-1	\N	t	\N	\N	\N	\N
6e90307bb7602832debecde8bc61cfaa8ba6a3bab44d24cdead623f2ea9a7774	sk-...dddd	lost team	0	\N	{}	t-9	\N	f	\N	\N	\N	\N
cb026fa8b5113bf6f9e2e757b1c244fb6be715cb824a0c9bcd78b68ee16060ce	sk-...eeee	no models	0	\N	{no-default-models}	\N	\N	f	\N	\N	\N	\N
sk-plain	\N	plain	0	\N	{}	\N	\N	f	\N	\N	\N	\N
620226b37c9381329edf9b3a9f0fccfdb3fa073bbbf3c56d1bb2ff9d7765a208	\N	odd time	0	soon	{}	\N	\N	f	\N	\N	\N	\N
\.
